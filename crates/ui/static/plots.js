// Plots. Their data stands in the page, as JSON; their colours are those of the style sheet.
"use strict";

(() => {
  const HOURS = 24;
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const UNITS = [["TWh", 1e12], ["GWh", 1e9], ["MWh", 1e6], ["kWh", 1e3]];
  /** What is drawn now, to be drawn again when colours or sizes change. */
  const drawn = new Set();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function energy(wh) {
    const [unit, size] = UNITS.find(([, least]) => wh >= least) || ["Wh", 1];
    return `${(wh / size).toLocaleString("en-GB", { maximumFractionDigits: 3 })} ${unit}`;
  }

  function ramp(share) {
    const [from, to] = ["--ramp-0", "--ramp-1"].map((name) => {
      const hex = colour(name).slice(1);
      return [0, 2, 4].map((place) => parseInt(hex.slice(place, place + 2), 16));
    });
    return `rgb(${from.map((value, at) => Math.round(value + (to[at] - value) * share)).join(" ")})`;
  }

  // ── By hour and day ────────────────────────────────────────────────────────

  function heat(plot, data) {
    const box = plot.querySelector(".heat");
    const canvas = box.querySelector("canvas");
    const told = plot.querySelector("[data-told]");
    const start = Date.parse(data.start);
    const days = data.hours.length / HOURS;
    const most = data.hours.reduce((max, wh) => Math.max(max, wh || 0), 0);
    const edge = { left: 28, top: 2, bottom: 40, row: 8 };
    const size = { width: 0, height: edge.top + HOURS * edge.row + edge.bottom };
    let chosen = data.hours.findLastIndex((wh) => wh !== null);
    let isTold = false;

    const left = (day) => edge.left + ((size.width - edge.left) * day) / days;

    function draw() {
      size.width = box.clientWidth;
      if (size.width === 0) return;
      const dense = window.devicePixelRatio || 1;
      canvas.width = Math.round(size.width * dense);
      canvas.height = Math.round(size.height * dense);
      canvas.style.width = `${size.width}px`;
      canvas.style.height = `${size.height}px`;
      const paint = canvas.getContext("2d");
      paint.scale(dense, dense);
      // A hundred steps of the ramp, so that its colours are mixed once.
      const shades = Array.from({ length: 101 }, (_, step) => ramp(step / 100));
      data.hours.forEach((wh, place) => {
        if (wh === null) return;
        const day = Math.floor(place / HOURS);
        paint.fillStyle = shades[most === 0 ? 0 : Math.round((wh / most) * 100)];
        // Whole pixels, without seams between them.
        const from = Math.floor(left(day));
        paint.fillRect(from, edge.top + (place % HOURS) * edge.row, Math.ceil(left(day + 1)) - from, edge.row);
      });
      labels(paint);
      scale(paint, shades);
      mark(paint);
    }

    function labels(paint) {
      paint.fillStyle = colour("--faint");
      paint.font = `11px ${colour("--font")}`;
      paint.textBaseline = "middle";
      for (const hour of [0, 6, 12, 18]) {
        paint.fillText(String(hour).padStart(2, "0"), 4, edge.top + (hour + 0.5) * edge.row + (hour === 0 ? 1 : 0));
      }
      const bottom = edge.top + HOURS * edge.row;
      const year = new Date(start).getUTCFullYear();
      MONTHS.forEach((name, month) => {
        const day = (Date.UTC(year, month, 1) - start) / 86400000;
        paint.fillRect(left(day), bottom, 1, 4);
        paint.fillText(name, left(day) + 3, bottom + 9);
      });
    }

    function scale(paint, shades) {
      const top = edge.top + HOURS * edge.row + 22;
      shades.forEach((shade, step) => { paint.fillStyle = shade; paint.fillRect(edge.left + 14 + step, top, 2, 12); });
      paint.strokeStyle = colour("--line");
      paint.strokeRect(edge.left + 14, top, 102, 12);
      paint.fillStyle = colour("--faint");
      paint.fillText("0", edge.left, top + 7);
      paint.fillText(`${energy(most)} an hour`, edge.left + 122, top + 7);
    }

    function mark(paint) {
      if (chosen < 0 || !isTold) return;
      const day = Math.floor(chosen / HOURS);
      paint.strokeStyle = colour("--focus");
      paint.lineWidth = 2;
      const wide = Math.max(left(day + 1) - left(day), 3);
      paint.strokeRect(left(day) - 1, edge.top + (chosen % HOURS) * edge.row - 1, wide + 2, edge.row + 2);
    }

    const hour = (place) => new Date(start + place * 3600000).toISOString().replace(/\.\d+/, "");

    function choose(place) {
      if (place < 0 || place >= data.hours.length || (isTold && place === chosen)) return;
      chosen = place;
      isTold = true;
      const wh = data.hours[place];
      const at = hour(place).replace("T", " ").slice(0, 16);
      told.textContent = `${at} UTC: ${wh === null ? "no reading" : energy(wh)}`;
      draw();
    }

    function open() {
      if (chosen < 0) return;
      const query = new URLSearchParams({ from: hour(chosen), to: hour(chosen + 1) });
      window.location.assign(`${data.certificates}?${query}`);
    }

    function under(event) {
      const at = canvas.getBoundingClientRect();
      const day = Math.floor(((event.clientX - at.left - edge.left) / (size.width - edge.left)) * days);
      const row = Math.floor((event.clientY - at.top - edge.top) / edge.row);
      return day >= 0 && day < days && row >= 0 && row < HOURS ? day * HOURS + row : -1;
    }

    canvas.addEventListener("pointermove", (event) => choose(under(event)));
    canvas.addEventListener("click", (event) => {
      const place = under(event);
      if (place >= 0) { choose(place); open(); }
    });
    box.addEventListener("focus", () => choose(chosen));
    box.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -HOURS, ArrowRight: HOURS, ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) { event.preventDefault(); choose(chosen + step); } else if (event.key === "Enter") open();
    });
    return { box, draw };
  }

  // ── By day ─────────────────────────────────────────────────────────────────

  function line(plot, data) {
    const box = plot.querySelector("[data-line]");
    const start = Date.parse(data.start) / 1000;
    const days = data.hours.length / HOURS;
    const at = Array.from({ length: days }, (_, day) => start + day * 86400);
    const sums = at.map((_, day) => {
      const read = data.hours.slice(day * HOURS, (day + 1) * HOURS).filter((wh) => wh !== null);
      return read.length === 0 ? null : read.reduce((sum, wh) => sum + wh, 0);
    });
    const axis = () => ({ stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } });
    let shown = null;

    function draw() {
      if (shown) shown.destroy();
      shown = new window.uPlot({
        width: Math.max(box.clientWidth, 200),
        height: 220,
        tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        axes: [axis(), { ...axis(), size: 80, values: (_, ticks) => ticks.map(energy) }],
        scales: { y: { range: (_, __, most) => [0, most || 1] } },
        series: [
          { label: "Day", value: (_, seconds) => (seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 10)) },
          {
            label: "Production", stroke: colour("--series-1"), width: 2, spanGaps: false,
            value: (_, wh) => (wh === null ? "–" : energy(wh)),
          },
        ],
      }, [at, sums], box);
    }
    return { box, draw };
  }

  // ── All of them ────────────────────────────────────────────────────────────

  const KINDS = { heat, days: line };

  function prepare(root) {
    for (const plot of root.querySelectorAll("[data-plot]")) {
      const kind = KINDS[plot.dataset.plot];
      const source = document.getElementById(plot.dataset.of);
      if (!kind || !source || !plot.hidden) continue;
      plot.hidden = false;
      const one = kind(plot, JSON.parse(source.textContent));
      drawn.add(one);
      one.draw();
      let width = one.box.clientWidth;
      new ResizeObserver(() => {
        if (one.box.clientWidth !== width) { width = one.box.clientWidth; one.draw(); }
      }).observe(one.box);
    }
  }

  function again() {
    for (const one of drawn) {
      if (one.box.isConnected) one.draw(); else drawn.delete(one);
    }
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentElement || document));
})();
