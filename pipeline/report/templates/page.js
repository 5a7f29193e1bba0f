"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;
  const body = document.body;
  const sheet = $("sheet");
  const ticked = new Map(); // row id → its card
  const shown = { status: "", text: "" };
  const STATES = ["failed", "unconfirmed", "marked", "noted", "done", "downloading", "rendering", "submitting", "pending"];
  const NAMES = { marked: "looks wrong", noted: "has a note" };
  let cards = [...sheet.children];

  // Theme. What was chosen last is kept where the browser allows it.
  const store = { get() { try { return localStorage.getItem("theme"); } catch { return null; } },
                  set(value) { try { localStorage.setItem("theme", value); } catch { /* private window */ } } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = (theme) => { root.dataset.theme = theme; };
  paint(store.get() || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", (event) => { if (!store.get()) paint(event.matches ? "dark" : "light"); });
  const turn = () => { paint(root.dataset.theme === "dark" ? "light" : "dark"); store.set(root.dataset.theme); };
  $("theme").addEventListener("click", turn);
  let before = "";
  const folded = []; // on paper nothing can be opened any more
  addEventListener("beforeprint", () => {
    before = root.dataset.theme; paint("light");
    folded.push(...document.querySelectorAll("details:not([open])"));
    for (const one of folded) one.open = true;
    for (const image of sheet.querySelectorAll("img")) image.loading = "eager";
  });
  addEventListener("afterprint", () => {
    paint(before || "light");
    for (const one of folded.splice(0)) one.open = false;
  });

  const say = (words) => { $("said").textContent = words; };

  // Filters, search, order.
  const is = (card, kind) => !kind || (kind === "marked" ? card.dataset.marks !== "" : kind === "noted" ? card.dataset.notes !== "0" : card.dataset.status === kind);
  const words = new WeakMap();
  const haystack = (card) => {
    if (!words.has(card)) words.set(card, (card.textContent + " " + card.dataset.marks).toLowerCase());
    return words.get(card);
  };
  const filter = () => {
    const terms = shown.text.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const fits = is(card, shown.status) && terms.every((term) => haystack(card).includes(term));
      if (card.hidden === fits) card.hidden = !fits;
      count += fits;
    }
    $("shown").textContent = count === cards.length ? String(count) : count + " of " + cards.length;
    $("empty").hidden = count > 0;
  };
  const chips = () => {
    const bar = $("filters");
    bar.replaceChildren();
    for (const kind of ["", ...STATES]) {
      const count = cards.filter((card) => is(card, kind)).length;
      if (!count && kind !== shown.status) continue;
      const chip = document.createElement("button");
      const number = document.createElement("small");
      chip.type = "button";
      chip.dataset.kind = kind;
      chip.textContent = kind ? NAMES[kind] || kind : "all";
      number.textContent = count;
      chip.append(number);
      chip.setAttribute("aria-pressed", String(kind === shown.status));
      bar.append(chip);
    }
  };
  const show = (kind) => { shown.status = kind; chips(); filter(); };
  $("filters").addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (chip) { show(chip.dataset.kind); $("filters").querySelector('[aria-pressed="true"]').focus(); }
  });
  let waiting = 0;
  $("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { shown.text = $("search").value; filter(); }, 60);
  });
  const reset = () => { $("search").value = ""; shown.text = ""; show(""); };
  $("reset").addEventListener("click", reset);
  const rank = (card) => card.dataset.status === "failed" ? 0 : card.dataset.status === "unconfirmed" ? 1 : card.dataset.marks || card.dataset.notes !== "0" ? 2 : 3;
  const value = { need: (card) => rank(card), number: () => 0 };
  const sort = () => {
    const by = $("sort").value;
    const key = value[by] || ((card) => -Number(card.dataset[by]));
    const keyed = cards.map((card) => [key(card), Number(card.dataset.number), card]);
    keyed.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (keyed.every((item, index) => item[2] === sheet.children[index])) return;
    cards = keyed.map((item) => item[2]);
    sheet.append(...cards);
  };
  $("sort").addEventListener("change", sort);

  // Players: one at a time, made only when asked for.
  const play = (link) => {
    for (const other of sheet.querySelectorAll("video")) other.pause();
    const video = document.createElement("video");
    video.controls = true;
    video.playsInline = true;
    video.preload = "auto";
    video.src = link.getAttribute("href");
    video.setAttribute("aria-label", link.getAttribute("aria-label"));
    video.addEventListener("error", () => { say("This clip can't be played: has its file been moved?"); });
    link.replaceWith(video);
    video.focus();
    video.play().catch(() => { /* the controls are there */ });
  };
  sheet.addEventListener("click", (event) => {
    const link = event.target.closest("a.play");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); play(link); }
  });

  // Rows to render again.
  const basket = () => {
    $("basket").hidden = ticked.size === 0;
    let usd = 0;
    for (const card of ticked.values()) usd += Number(card.dataset.estimate);
    $("ticked").textContent = ticked.size + (ticked.size === 1 ? " row" : " rows") + " to render again";
    $("price").textContent = usd ? "about $" + usd.toFixed(2) + " if all are rendered anew" : "";
    $("command").textContent = command();
  };
  const command = () => {
    const ids = [...ticked.keys()];
    return body.dataset.retry + (ids.some((id) => id.startsWith("-")) ? " -- " : " ") + ids.join(" ");
  };
  const tick = (card, on) => {
    card.querySelector(".tick input").checked = on;
    if (on) ticked.set(card.dataset.id, card); else ticked.delete(card.dataset.id);
  };
  sheet.addEventListener("change", (event) => {
    const card = event.target.closest(".card");
    if (card && event.target.matches(".tick input")) { tick(card, event.target.checked); basket(); }
  });
  $("tickall").addEventListener("click", () => { for (const card of cards) if (!card.hidden) tick(card, true); basket(); });
  $("clear").addEventListener("click", () => { for (const card of [...ticked.values()]) tick(card, false); basket(); });
  // JSON's strings are YAML's too, but for the few characters that YAML takes for line ends.
  const quoted = (value) => JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (one) => "\\u" + one.charCodeAt(0).toString(16).padStart(4, "0"));
  const manifest = () => {
    const lines = ["# Rows of " + body.dataset.job.replace(/[^\x20-\x7e]/g, "?") + " to render again, in an --out of their own. They are paid again.", "version: 1", "rows:"];
    for (const card of ticked.values()) {
      const row = JSON.parse(card.dataset.row);
      // The prompt is filled in already: its braces are no fields any more.
      if (row.prompt) row.prompt = row.prompt.replace(/[{}]/g, "$&$&");
      Object.entries(row).forEach(([name, value], index) => lines.push((index ? "    " : "  - ") + name + ": " + quoted(value)));
    }
    return lines.join("\n") + "\n";
  };
  $("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([manifest()], { type: "application/yaml" }));
    link.download = body.dataset.job + "-again.yaml";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("Manifest downloaded");
  });
  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    const words = button.textContent;
    button.textContent = "Copied";
    say("Copied");
    setTimeout(() => { button.textContent = words; }, 1200);
  };
  $("copy").addEventListener("click", (event) => copy(command(), event.target));
  body.addEventListener("click", (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    if (button.dataset.copy) { copy(button.dataset.copy, button); return; }
    const wanted = new Set(button.dataset.tick.split(" "));
    for (const card of cards) if (wanted.has(card.dataset.id)) tick(card, true);
    basket();
  });

  // Keyboard.
  const current = () => document.activeElement.closest?.(".card");
  const step = (by) => {
    const visible = cards.filter((card) => !card.hidden);
    const at = visible.indexOf(current());
    const next = visible[at < 0 ? 0 : Math.min(visible.length - 1, Math.max(0, at + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input[type=search], select, textarea");
    if (event.key === "Escape") { reset(); event.target.blur(); return; }
    if (typing) return;
    const card = current();
    const keys = {
      "/": () => $("search").focus(),
      j: () => step(1),
      k: () => step(-1),
      t: turn,
      x: () => { if (card) { tick(card, !ticked.has(card.dataset.id)); basket(); } },
      Enter: () => { const link = event.target === card && card.querySelector("a.play"); if (link) play(link); else return true; },
    };
    const act = keys[event.key];
    if (act && act() !== true) event.preventDefault();
  });

  // The same page beside a run: pieces come as they change, made and escaped by the same templates.
  if ("live" in body.dataset) {
    const light = (on) => {
      $("live").className = "live " + (on ? "on" : "off");
      $("live").textContent = on ? "live" : "not connected";
    };
    const fragment = (html) => { const holder = document.createElement("template"); holder.innerHTML = html; return holder.content; };
    // On a narrow screen the night is wider than its frame: what happens now is at its right end.
    const frame = () => document.querySelector(".timeline");
    const latest = (left) => { if (frame()) frame().scrollLeft = left ?? frame().scrollWidth; };
    const update = (pieces) => {
      document.title = pieces.title;
      const at = frame() && frame().scrollLeft + frame().clientWidth < frame().scrollWidth - 8 ? frame().scrollLeft : undefined;
      for (const name of ["summary", "attention", "timeline"]) {
        if (pieces[name] === undefined) continue;
        const open = new Set([...$(name).querySelectorAll("details[open]")].map((one) => one.dataset.kind));
        const known = new Set([...$(name).querySelectorAll("details")].map((one) => one.dataset.kind));
        $(name).replaceChildren(fragment(pieces[name]));
        for (const one of $(name).querySelectorAll("details")) if (known.has(one.dataset.kind)) one.open = open.has(one.dataset.kind);
      }
      if (pieces.timeline !== undefined) latest(at);
      for (const [id, html] of Object.entries(pieces.cards)) {
        const fresh = fragment(html).querySelector(".card");
        const old = $(id);
        if (!old) sheet.append(fresh);
        else if (old.querySelector("video")) continue; // somebody watches it
        else {
          const focused = old === document.activeElement;
          old.replaceWith(fresh);
          if (focused) fresh.focus({ preventScroll: true });
        }
        if (ticked.has(fresh.dataset.id)) tick(fresh, true);
      }
      cards = [...sheet.children];
      sort(); chips(); filter();
    };
    latest();
    const source = new EventSource("events?since=" + body.dataset.live);
    source.addEventListener("open", () => light(true));
    source.addEventListener("error", () => light(false));
    source.addEventListener("update", (event) => { light(true); update(JSON.parse(event.data)); });
  }

  chips(); filter(); basket();
  body.dataset.ready = "";
})();
