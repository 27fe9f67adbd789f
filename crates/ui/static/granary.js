// What pages do beyond forms and links: local times, keys, questions before what cannot be undone, copying.
// Every page works without it.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isUtc = () => new Date().getTimezoneOffset() === 0 && /^(Etc\/)?(UTC|GMT|UCT|Zulu)$/.test(zone);
  const local = new Intl.DateTimeFormat("en-GB", {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

  // From an instant to a later one; of the second, its day is told if it is more than a day away.
  function range(start, end) {
    if (end - start > 86400000) return local.formatRange(start, end);
    const from = local.formatToParts(start).map(({ value }) => value);
    const zoneName = from.splice(from.lastIndexOf(" ")).join("");
    return `${from.join("")}–${clock.format(end)}${zoneName}`;
  }

  // The local time of an instant, as its title and, where there is room for it, beside it; that of an interval once,
  // behind its end.
  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.getAttribute("datetime"));
      if (Number.isNaN(at.getTime())) continue;
      time.dataset.local = "";
      time.title = `${time.textContent} UTC, ${local.format(at)}`;
      const isStart = time.nextElementSibling?.matches("time[data-end]");
      if (time.closest("[data-local-times]") && !isUtc() && !isStart) {
        const beside = document.createElement("small");
        const start = time.matches("[data-end]") && time.previousElementSibling?.getAttribute("datetime");
        beside.className = "local";
        beside.textContent = start ? range(new Date(start), at) : local.format(at);
        time.after(" ", beside);
      }
    }
  }

  // What filters a list is folded where there is little room for both.
  const narrow = window.matchMedia("(max-width: 50rem)");
  function fold() {
    for (const filters of document.querySelectorAll("details.fold")) filters.open = !narrow.matches;
  }
  narrow.addEventListener("change", fold);

  // A box that is narrower than what is in it says so.
  function hint() {
    for (const box of document.querySelectorAll(".scroll")) box.classList.toggle("wide", box.scrollWidth - box.clientWidth > 8);
  }
  window.addEventListener("resize", hint);

  function prepare(root) {
    localise(root);
    hint();
    for (const button of root.querySelectorAll("[data-copy], [data-print]")) button.hidden = false;
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
  });

  document.addEventListener("click", (event) => {
    const asking = event.target.closest("[data-ask]");
    if (asking && !window.confirm(asking.dataset.ask)) event.preventDefault();
    if (event.target.closest("[data-print]")) window.print();
    const copying = event.target.closest("[data-copy]");
    if (copying) {
      const text = document.getElementById(copying.dataset.copy).textContent;
      navigator.clipboard.writeText(text).then(() => { copying.textContent = "Copied"; });
    }
    for (const menu of document.querySelectorAll("details.who[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.who[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
      return;
    }
    const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const search = document.getElementById("search");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "?" && document.getElementById("search")) {
      window.location.assign("/ui/help");
    }
  });

  // Files may be dropped anywhere in the zone of their field.
  const zoneOf = (event) => (event.target.closest ? event.target.closest(".drop") : null);
  document.addEventListener("dragover", (event) => {
    const zone = zoneOf(event);
    if (zone) { event.preventDefault(); zone.classList.add("over"); }
  });
  for (const name of ["dragleave", "drop"]) {
    document.addEventListener(name, (event) => { if (zoneOf(event)) zoneOf(event).classList.remove("over"); });
  }
  document.addEventListener("drop", (event) => {
    const zone = zoneOf(event);
    if (!zone) return;
    event.preventDefault();
    zone.querySelector('input[type="file"]').files = event.dataTransfer.files;
  });

  // What is asked for again and again rests while nobody sees it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.closest("[data-while-visible]")) event.preventDefault();
  });

  // A part that does not come says so, and is still a step away.
  document.addEventListener("htmx:sendError", (event) => {
    const told = document.createElement("p");
    told.className = "failed";
    told.setAttribute("role", "alert");
    told.textContent = "The registry does not answer. Load the page again.";
    event.detail.target.prepend(told);
  });

  // What was just done is said when the page is there: readers of screens pass over what stood there before.
  function tell(told) {
    const text = told.textContent;
    told.textContent = "\u00a0";
    window.setTimeout(() => { told.textContent = text; }, 200);
  }

  document.addEventListener("DOMContentLoaded", () => {
    fold();
    prepare(document);
    document.querySelectorAll("[data-told]").forEach(tell);
  });
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt));
})();
