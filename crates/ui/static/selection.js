// Bundles selected across pages, with what they hold together. The selection of each account stays in this tab until it is
// used or cleared. Without this script the boxes of one page are a plain form.
"use strict";

(() => {
  const nameOf = (account) => `granary-selection-${account}`;
  const read = (account) => {
    try {
      return new Map(Object.entries(JSON.parse(sessionStorage.getItem(nameOf(account)) ?? "{}")));
    } catch {
      return new Map();
    }
  };
  const write = (account, selection) => {
    try {
      sessionStorage.setItem(nameOf(account), JSON.stringify(Object.fromEntries(selection)));
    } catch {
      // Without storage the selection is that of this page.
    }
  };

  // What an action took is selected no more. The address of a receipt is the same before and after that.
  for (const used of document.querySelectorAll("[data-clear-selection]")) {
    sessionStorage.removeItem(nameOf(used.dataset.clearSelection));
    history.replaceState(null, "", window.location.pathname);
  }

  // Who types a part of the whole has chosen it.
  for (const part of document.querySelectorAll("[data-portion] .portion input:not([type=radio])")) {
    part.addEventListener("input", () => { part.closest("p").querySelector("input[type=radio]").checked = true; });
  }

  const form = document.getElementById("selection");
  if (!form) return;
  const account = form.dataset.account;
  const boxes = [...form.querySelectorAll("input[name=bundle]")];
  const shown = form.querySelector("[data-selected]");
  const selection = read(account);

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
      shown.textContent = count === 0 ? "Nothing selected"
        : `${thousands(count)} bundle${count === 1 ? "" : "s"} selected: ${thousands(sum)} Wh (${megawattHours(sum)})`;
    }
    for (const button of form.querySelectorAll("[data-select-page]")) {
      button.textContent = boxes.length > 0 && boxes.every((box) => box.checked) ? "Select none" : "Select all";
    }
    for (const button of form.querySelectorAll("[data-deed]")) button.disabled = count === 0;
    for (const button of form.querySelectorAll("[data-select-none]")) button.hidden = count === 0;
  }

  function choose(box, wanted) {
    if (wanted) selection.set(box.value, box.dataset.wh); else selection.delete(box.value);
  }

  function changed() {
    write(account, selection);
    render();
  }

  form.addEventListener("change", (event) => {
    if (!event.target.matches("input[name=bundle]")) return;
    choose(event.target, event.target.checked);
    changed();
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
