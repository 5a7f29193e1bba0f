"""Speech of different engines with the times of its phones: what the mouth is taught by, and measured against.

The engines are programs of the system (Debian: ``apt-get install espeak-ng flite festival festvox-kallpc16k
festvox-us-slt-hts``) and the package ``hibari-tts``; none is needed to run avatar-batch.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

__all__ = ["Phone", "Spoken", "espeak", "festival", "flite", "hibari"]


@dataclass(frozen=True)
class Phone:
    """A phone of the ARPAbet (``pau``: silence) and its times in seconds."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Spoken:
    """A spoken line: who spoke it, mono samples (n,) in -1 to 1, and its phones, if the engine tells them."""

    engine: str
    samples: NDArray[np.float32]
    rate_hz: int
    phones: tuple[Phone, ...]

    def write(self, path: Path) -> Path:
        """Write a 16-bit WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate_hz)
            file.writeframes((np.clip(self.samples, -1, 1) * 32_767).astype("<i2").tobytes())
        return path


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return data.astype(np.float32) / np.float32(32_768), file.getframerate()


def _phones(names_and_ends: list[tuple[str, float]]) -> tuple[Phone, ...]:
    starts = [0.0, *(end for _, end in names_and_ends)]
    return tuple(Phone(name, start, end) for (name, end), start in zip(names_and_ends, starts, strict=False))


def flite(text: str, voice: str = "slt", stretch: float = 1.0, tone: float = 1.0) -> Spoken:
    """CMU Flite: ``kal16`` joins diphones, ``awb``, ``rms`` and ``slt`` are statistical."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "line.wav"
        mean_hz = {"kal16": 95, "awb": 130, "rms": 95, "slt": 170}[voice] * tone
        settings = ["--setf", f"duration_stretch={stretch}", "--setf", f"int_f0_target_mean={mean_hz}"]
        command = ["flite", "-voice", voice, *settings, "-psdur", "-t", text, "-o", str(path)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        samples, rate_hz = _read(path)
    pairs = [(name, float(end)) for name, _, end in (word.rpartition(":") for word in told)]
    return Spoken(f"flite {voice}", samples, rate_hz, _phones(pairs))


def festival(text: str, voice: str = "kal_diphone") -> Spoken:
    """Festival: ``kal_diphone`` joins diphones, ``cmu_us_slt_arctic_hts`` is a hidden Markov model."""
    with TemporaryDirectory() as directory:
        sound, labels = Path(directory) / "line.wav", Path(directory) / "line.seg"
        plain = text.replace('"', "")
        program = (
            f'(voice_{voice}) (set! line (Utterance Text "{plain}")) (utt.synth line)'
            f'(utt.save.wave line "{sound}" \'riff) (utt.save.segs line "{labels}")'
        )
        subprocess.run(["festival", "--pipe"], input=program, check=True, capture_output=True, text=True)
        samples, rate_hz = _read(sound)
        rows = [line.split() for line in labels.read_text().splitlines()]
    pairs = [(row[2], float(row[0])) for row in rows if len(row) == 3]
    return Spoken(f"festival {voice}", samples, rate_hz, _phones(pairs))


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_ESPEAK_PHONES = {
    "p": "p", "b": "b", "m": "m", "f": "f", "v": "v", "t": "t", "d": "d", "n": "n", "s": "s", "z": "z", "k": "k",
    "g": "g", "N": "ng", "l": "l", "r": "r", "w": "w", "j": "y", "h": "hh", "T": "th", "D": "dh", "S": "sh", "Z": "zh",
    "tS": "ch", "dZ": "jh", "a": "ae", "aa": "ae", "A:": "aa", "A@": "aa", "0": "aa", "O": "ao", "O:": "ao", "V": "ah",
    "@": "ax", "a#": "ax", "@2": "ax", "@5": "ax", "3:": "er", "3": "er", "E": "eh", "e@": "eh", "I": "ih", "I2": "ih",
    "i": "iy", "i:": "iy", "i@": "iy", "u:": "uw", "U": "uh", "U@": "uh", "aI": "ay", "eI": "ey", "OI": "oy", "aU": "aw",
    "oU": "ow", "O@": "ao", "o@": "ao", "I#": "ih", "t#": "t", "n-": "n", "l-": "l", "@L": "l", "aI@": "ay", "t2": "t",
    "d#": "d", "w#": "w", "r-": "r",
}  # fmt: skip


@cache
def _espeak_library() -> tuple[ctypes.CDLL, int]:
    """The library and its sampling rate; it hangs when it is started a second time."""
    library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
    return library, library.espeak_Initialize(
        2, 0, None, 1
    )  # AUDIO_OUTPUT_SYNCHRONOUS, espeakINITIALIZE_PHONEME_EVENTS


def espeak(text: str, voice: str = "en-us", words_a_minute: int = 160) -> Spoken:
    """eSpeak NG, a formant synthesizer; the library tells its phones as it goes."""
    library, rate_hz = _espeak_library()
    pieces: list[NDArray[np.int16]] = []
    marks: list[tuple[str, float]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
    def take(wav, count, events):
        if wav and count:
            pieces.append(np.ctypeslib.as_array(wav, (count,)).copy())
        index = 0
        while events[index].type:
            if events[index].type == 7:  # espeakEVENT_PHONEME
                marks.append((events[index].id.decode(), events[index].audio_position / 1000))
            index += 1
        return 0

    library.espeak_SetSynthCallback(take)
    library.espeak_SetVoiceByName(voice.encode())
    library.espeak_SetParameter(1, words_a_minute, 0)
    data = text.encode() + b"\0"
    library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 0, 0, 0x1, None, None)
    library.espeak_Synchronize()
    samples = np.concatenate(pieces).astype(np.float32) / np.float32(32_768)
    ends = [*(start for _, start in marks[1:]), len(samples) / rate_hz]
    phones = [
        Phone(_ESPEAK_PHONES.get(name, _ESPEAK_PHONES.get(name.strip("#:-;!^*'`"), "pau")), start, end)
        for (name, start), end in zip(marks, ends, strict=True)
    ]
    return Spoken(f"espeak-ng {voice}", samples, rate_hz, tuple(phones))


def hibari(text: str, seed: int = 7) -> Spoken:
    """A neural voice; it keeps the times of its phones to itself."""
    from hibari import Hibari  # noqa: PLC0415 - the other engines do without

    voice = Hibari(threads=1)
    return Spoken("hibari", np.asarray(voice(text, seed=seed), np.float32), int(voice.sample_rate), ())
