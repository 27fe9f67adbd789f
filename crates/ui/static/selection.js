// Bundles selected across pages, with what they hold together. The selection of each account stays in this tab until it is
// used or cleared, or something else is looked for: nobody acts on what is not shown. Without this script the boxes of one page are a plain form.
"use strict";

(() => {
  const nameOf = (account) => `granary-selection-${account}`;
  const read = (account, filter) => {
    try {
      const kept = JSON.parse(sessionStorage.getItem(nameOf(account)) ?? "{}");
      return new Map(kept.filter === filter ? Object.entries(kept.bundles) : []);
    } catch {
      return new Map();
    }
  };
  const write = (account, filter, selection) => {
    try {
      sessionStorage.setItem(nameOf(account), JSON.stringify({ filter, bundles: Object.fromEntries(selection) }));
    } catch {
      // Without storage the selection is that of this page.
    }
  };

  // What an action took is selected no more. The address of a receipt is the same before and after that.
  for (const used of document.querySelectorAll("[data-clear-selection]")) {
    sessionStorage.removeItem(nameOf(used.dataset.clearSelection));
    history.replaceState(null, "", window.location.pathname);
  }

  // Who types a part of the whole has chosen it; who chooses another takes back what was typed.
  for (const portion of document.querySelectorAll(".portion")) {
    const typed = [...portion.querySelectorAll("input:not([type=radio])")];
    const radioOf = (part) => part.closest("p").querySelector("input[type=radio]");
    portion.addEventListener("input", (event) => {
      if (typed.includes(event.target)) radioOf(event.target).checked = true;
      for (const part of typed) if (!radioOf(part).checked) part.value = "";
    });
  }

  const form = document.getElementById("selection");
  if (!form) return;
  const { account, filter } = form.dataset;
  const boxes = [...form.querySelectorAll("input[name=bundle]")];
  const shown = form.querySelector("[data-selected]");
  const selection = read(account, filter);

  const thousands = (number) => number.toString().replace(/\B(?=(\d{3})+$)/g, ",");
  const megawattHours = (wh) => {
    const rest = (wh % 1000000n).toString().padStart(6, "0").replace(/0+$/, "");
    return `${thousands(wh / 1000000n)}${rest && `.${rest}`} MWh`;
  };

  function render() {
    for (const box of boxes) {
      box.checked = selection.has(box.value);
      box.closest("tr").classList.toggle("chosen", box.checked);
    }
    let sum = 0n;
    for (const wh of selection.values()) sum += BigInt(wh);
    const count = selection.size;
    if (shown) {
      shown.hidden = false;
      const elsewhere = count - boxes.filter((box) => box.checked).length;
      const where = elsewhere === 0 ? "" : `, ${thousands(elsewhere)} of them on other pages`;
      shown.textContent = count === 0 ? "Nothing selected"
        : `${thousands(count)} bundle${count === 1 ? "" : "s"} selected: ${megawattHours(sum)} (${thousands(sum)} Wh)${where}`;
    }
    for (const button of form.querySelectorAll("[data-select-page]")) {
      button.textContent = boxes.length > 0 && boxes.every((box) => box.checked) ? "Select none" : button.dataset.selectPage;
    }
    for (const button of form.querySelectorAll("[data-deed]")) button.disabled = count === 0;
    for (const button of form.querySelectorAll("[data-select-none]")) button.hidden = count === 0;
  }

  function choose(box, wanted) {
    if (wanted) selection.set(box.value, box.dataset.wh); else selection.delete(box.value);
  }

  function changed() {
    write(account, filter, selection);
    render();
  }

  /** The box that was used last: where a range begins. */
  let last = -1;

  function chooseTo(place, wanted) {
    const from = last < 0 ? place : last;
    for (const box of boxes.slice(Math.min(from, place), Math.max(from, place) + 1)) choose(box, wanted);
    last = place;
    changed();
  }

  // A click with Shift takes along all rows since the last one.
  form.addEventListener("click", (event) => {
    const place = boxes.indexOf(event.target);
    if (place < 0) return;
    if (!event.shiftKey) last = place;
    chooseTo(place, event.target.checked);
  });

  // Up and down lead from row to row, with Shift these rows are selected on the way.
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (event.key !== "a" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    (form.querySelector("[data-deed]:enabled") ?? boxes[0])?.focus();
  });
  form.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const place = boxes.indexOf(event.target);
    const next = boxes[place + step];
    if (place < 0 || !next) return;
    event.preventDefault();
    last = place;
    if (event.shiftKey) chooseTo(place + step, true);
    next.focus();
  });

  for (const button of form.querySelectorAll("[data-select-page]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const wanted = !boxes.every((box) => selection.has(box.value));
      for (const box of boxes) choose(box, wanted);
      changed();
    });
  }

  for (const button of form.querySelectorAll("[data-select-matching]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      const answer = await fetch(button.dataset.selectMatching, { headers: { accept: "application/json" } }).catch(() => null);
      button.disabled = false;
      const found = answer?.ok ? await answer.json() : null;
      if (!found) { shown.textContent = "They could not be selected; load the page again."; return; }
      for (const [id, wh] of found.bundles) selection.set(id, wh);
      changed();
      if (found.has_more) shown.textContent += "; there are more than are selected at once";
    });
  }

  for (const button of form.querySelectorAll("[data-select-none]")) {
    button.addEventListener("click", () => {
      selection.clear();
      changed();
      form.querySelector("[data-select-page]")?.focus();
    });
  }

  // What was selected on other pages goes along.
  form.addEventListener("submit", () => {
    form.querySelector("input[name=bundles]")?.remove();
    const here = new Set(boxes.map((box) => box.value));
    const others = document.createElement("input");
    others.type = "hidden";
    others.name = "bundles";
    others.value = [...selection.keys()].filter((id) => !here.has(id)).join(" ");
    form.append(others);
  });

  // A page that comes back from the browser's memory may be older than the selection.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  // What is on this page and may not be selected any more is selected no more; so is a quantity that has changed.
  for (const row of form.querySelectorAll("tbody tr")) {
    const id = row.querySelector("th a")?.textContent;
    const box = row.querySelector("input[name=bundle]");
    if (selection.has(id)) { if (box) choose(box, true); else selection.delete(id); }
  }
  changed();
})();
