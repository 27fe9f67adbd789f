// Plots. Their data stands in the page, as JSON; their colours are those of the style sheet.
"use strict";

(() => {
  const HOURS = 24;
  const DAY_MS = 86400000;
  /** Both plots leave this much at their sides, so that their days stand above each other. */
  const EDGE = { left: 72, right: 10 };
  /** Up to so many days, weeks are marked; beyond, months. */
  const WEEKS_DAYS_MAX = 120;
  /** The room that a mark takes. */
  const MARK_PX = 52;
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

  /**
   * The days that are marked below a plot, and how: Mondays, or the first of each month with the year at its start; no more
   * than there is room for.
   */
  function marks(start, days, width) {
    const found = [];
    for (let day = 0; day < days; day += 1) {
      const at = new Date(start + day * DAY_MS);
      const month = MONTHS[at.getUTCMonth()];
      if (days <= WEEKS_DAYS_MAX) {
        if (at.getUTCDay() === 1 || days <= 7) found.push([day, `${at.getUTCDate()} ${month}`]);
      } else if (at.getUTCDate() === 1) {
        found.push([day, at.getUTCMonth() === 0 ? `${month} ${at.getUTCFullYear()}` : month]);
      }
    }
    const every = Math.ceil((found.length * MARK_PX) / Math.max(width, 1));
    return found.filter((_, place) => place % every === 0);
  }

  // ── By hour and day ────────────────────────────────────────────────────────

  function heat(plot, data) {
    const box = plot.querySelector(".heat");
    const canvas = box.querySelector("canvas");
    const told = plot.querySelector("[data-told]");
    const start = Date.parse(data.start);
    const days = data.hours.length / HOURS;
    const most = data.hours.reduce((max, wh) => Math.max(max, wh || 0), 0);
    const tip = box.querySelector(".tip");
    const edge = { left: EDGE.left, right: EDGE.right, top: 4, bottom: 44, row: 9 };
    const size = { width: 0, height: edge.top + HOURS * edge.row + edge.bottom };
    const firstRead = data.hours.findIndex((wh) => wh !== null);
    const lastRead = data.hours.findLastIndex((wh) => wh !== null);
    let chosen = lastRead;
    let isTold = false;

    const wide = () => size.width - edge.left - edge.right;
    const left = (day) => edge.left + (wide() * day) / days;

    /** What an hour without a reading is filled with: hatched, so that it is not taken for little. */
    function hatch(paint) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 6;
      const lines = tile.getContext("2d");
      lines.strokeStyle = colour("--faint");
      lines.globalAlpha = 0.55;
      lines.beginPath();
      for (const at of [-6, 0, 6]) { lines.moveTo(at, 6); lines.lineTo(at + 6, 0); }
      lines.stroke();
      return paint.createPattern(tile, "repeat");
    }

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
      const missing = hatch(paint);
      data.hours.forEach((wh, place) => {
        // Before the first reading and after the last there is nothing to miss.
        if (place < firstRead || place > lastRead) return;
        const day = Math.floor(place / HOURS);
        paint.fillStyle = wh === null ? missing : shades[most === 0 ? 0 : Math.round((wh / most) * 100)];
        // Whole pixels, without seams between them.
        const from = Math.floor(left(day));
        paint.fillRect(from, edge.top + (place % HOURS) * edge.row, Math.ceil(left(day + 1)) - from, edge.row);
      });
      labels(paint);
      scale(paint, shades, missing);
      mark(paint);
    }

    function labels(paint) {
      paint.fillStyle = colour("--faint");
      paint.font = `11px ${colour("--font")}`;
      paint.textBaseline = "middle";
      paint.textAlign = "right";
      for (const hour of [0, 6, 12, 18, 24]) {
        const at = edge.top + hour * edge.row;
        paint.fillRect(edge.left - 5, Math.min(at, edge.top + HOURS * edge.row - 1), 4, 1);
        paint.fillText(`${String(hour).padStart(2, "0")}:00`, edge.left - 9, at + (hour === 0 ? 4 : 0));
      }
      paint.textAlign = "left";
      const bottom = edge.top + HOURS * edge.row;
      for (const [day, name] of marks(start, days, wide())) {
        paint.fillRect(left(day), bottom, 1, 5);
        const room = size.width - paint.measureText(name).width;
        paint.fillText(name, Math.min(left(day) + 3, room), bottom + 10);
      }
    }

    function scale(paint, shades, missing) {
      const top = edge.top + HOURS * edge.row + 26;
      shades.forEach((shade, step) => { paint.fillStyle = shade; paint.fillRect(edge.left + 14 + step, top, 2, 12); });
      paint.strokeStyle = colour("--line");
      paint.strokeRect(edge.left + 14, top, 102, 12);
      paint.fillStyle = colour("--faint");
      paint.fillText("0", edge.left, top + 7);
      const text = `${energy(most)} in an hour`;
      paint.fillText(text, edge.left + 122, top + 7);
      const behind = edge.left + 122 + paint.measureText(text).width + 16;
      paint.strokeRect(behind, top, 14, 12);
      paint.fillText("no reading", behind + 20, top + 7);
      paint.fillStyle = missing;
      paint.fillRect(behind, top, 14, 12);
    }

    function mark(paint) {
      if (chosen < 0 || !isTold) return;
      const day = Math.floor(chosen / HOURS);
      paint.strokeStyle = colour("--focus");
      paint.lineWidth = 2;
      const width = Math.max(left(day + 1) - left(day), 3);
      paint.strokeRect(left(day) - 1, edge.top + (chosen % HOURS) * edge.row - 1, width + 2, edge.row + 2);
    }

    const hour = (place) => new Date(start + place * 3600000).toISOString().replace(/\.\d+/, "");

    function choose(place) {
      if (place < 0 || place >= data.hours.length || (isTold && place === chosen)) return;
      chosen = place;
      isTold = true;
      const wh = data.hours[place];
      const at = hour(place).replace("T", " ").slice(0, 16);
      const day = Math.floor(place / HOURS);
      const ofDay = data.hours.slice(day * HOURS, (day + 1) * HOURS).reduce((sum, more) => sum + (more || 0), 0);
      const hourly = `${at} UTC: ${wh === null ? "no reading" : energy(wh)}`;
      told.textContent = `${hourly}; the whole day ${energy(ofDay)}`;
      tip.textContent = hourly;
      tip.hidden = false;
      const room = size.width - tip.offsetWidth;
      tip.style.left = `${Math.max(0, Math.min(left(day) - tip.offsetWidth / 2, room))}px`;
      // Below the hour in the upper half, above it in the lower: never over what it is about.
      const row = place % HOURS;
      const top = edge.top + row * edge.row;
      tip.style.top = `${row < HOURS / 2 ? top + edge.row + 6 : top - tip.offsetHeight - 6}px`;
      draw();
    }

    function open() {
      if (chosen < 0) return;
      const query = new URLSearchParams({ from: hour(chosen), to: hour(chosen + 1) });
      window.location.assign(`${data.certificates}?${query}`);
    }

    function under(event) {
      const at = canvas.getBoundingClientRect();
      const day = Math.floor(((event.clientX - at.left - edge.left) / wide()) * days);
      const row = Math.floor((event.clientY - at.top - edge.top) / edge.row);
      return day >= 0 && day < days && row >= 0 && row < HOURS ? day * HOURS + row : -1;
    }

    canvas.addEventListener("pointermove", (event) => choose(under(event)));
    const hide = () => { tip.hidden = true; };
    canvas.addEventListener("pointerleave", hide);
    box.addEventListener("blur", hide);
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
    // A day stands in the middle of its hours, as above.
    const at = Array.from({ length: days }, (_, day) => start + (day + 0.5) * 86400);
    const sums = at.map((_, day) => {
      const read = data.hours.slice(day * HOURS, (day + 1) * HOURS).filter((wh) => wh !== null);
      return read.length === 0 ? null : read.reduce((sum, wh) => sum + wh, 0);
    });
    const axis = () => ({ stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } });
    let shown = null;

    function draw() {
      if (shown) shown.destroy();
      const marked = marks(start * 1000, days, box.clientWidth - EDGE.left - EDGE.right);
      shown = new window.uPlot({
        width: Math.max(box.clientWidth, 200),
        height: 220,
        tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        padding: [8, EDGE.right, 0, 0],
        axes: [{
          ...axis(), size: 32, splits: () => marked.map(([day]) => start + day * 86400),
          values: () => marked.map(([, name]) => name),
        }, { ...axis(), size: EDGE.left, values: (_, ticks) => ticks.map(energy) }],
        scales: { x: { range: () => [start, start + days * 86400] }, y: { range: (_, __, most) => [0, most || 1] } },
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

  // ── In steps: of storage ───────────────────────────────────────────────────

  /** What a plot of steps shows, and between which values. */
  const STEPS = {
    level: { label: "State of charge", text: energy, range: (_, __, most) => [0, most || 1] },
    factor: {
      label: "Efficiency",
      text: (millionths) => `${(millionths / 10000).toLocaleString("en-GB", { maximumFractionDigits: 3 })} %`,
      range: (_, least) => [Math.min(Math.floor((least || 0) / 100000) * 100000, 900000), 1000000],
    },
  };

  function steps(plot, data) {
    const box = plot.querySelector("[data-line]");
    const kind = STEPS[plot.dataset.plot];
    const { at, values } = data[plot.dataset.plot];
    const start = Date.parse(data.start) / 1000;
    const end = start + data.days * 86400;
    // The last value stands to the end.
    const [times, held] = [[...at, end], [...values, values.at(-1)]];
    const axis = () => ({ stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } });
    let shown = null;

    function draw() {
      if (shown) shown.destroy();
      const marked = marks(start * 1000, data.days, box.clientWidth - EDGE.left - EDGE.right);
      shown = new window.uPlot({
        width: Math.max(box.clientWidth, 200),
        height: 200,
        tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        padding: [8, EDGE.right, 0, 0],
        axes: [{
          ...axis(), size: 32, splits: () => marked.map(([day]) => start + day * 86400),
          values: () => marked.map(([, name]) => name),
        }, { ...axis(), size: EDGE.left, values: (_, ticks) => ticks.map(kind.text) }],
        scales: { x: { range: () => [start, end] }, y: { range: kind.range } },
        series: [
          {
            label: "Time (UTC)",
            value: (_, seconds) => (seconds === null ? "–" : new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")),
          },
          {
            label: kind.label, stroke: colour("--series-1"), width: 2, paths: window.uPlot.paths.stepped({ align: 1 }),
            points: { show: false }, value: (_, value) => (value === null ? "–" : kind.text(value)),
          },
        ],
      }, [times, held], box);
    }
    return { box, draw };
  }

  // ── All of them ────────────────────────────────────────────────────────────

  const KINDS = { heat, days: line, level: steps, factor: steps };

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
