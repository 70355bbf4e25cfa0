// The page works without this file. With it the parts are refreshed in place and the counts are drawn.
"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const [pause, stale, refresh] = [element("pause"), element("stale"), element("refresh")];
  let paused = false;

  // Refresh: not while it is paused or nobody looks; what did not change stays as it is, with focus and scroll.

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume refresh" : "Pause refresh";
    if (!paused) htmx.ajax("GET", refresh.getAttribute("hx-get"), { source: refresh, swap: "none" });
  });
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (paused || document.hidden) event.preventDefault();
  });

  const shown = new Map();
  const kept = new Map();
  const sense = (text) => text.replace(/[\d\s\u202f]+/g, "");
  document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    const news = fragment.innerHTML;
    if (shown.get(target.id) === news) {
      event.detail.shouldSwap = false;
      return;
    }
    shown.set(target.id, news);
    for (const inner of target.querySelectorAll("[id]")) {
      kept.set(inner.id, { open: inner.open === true, left: inner.scrollLeft });
    }
    // A minute that passed is no news to read aloud.
    const says = sense(target.textContent) !== sense(fragment.textContent);
    if (target.hasAttribute("aria-live")) target.setAttribute("aria-live", says ? "polite" : "off");
  });
  document.body.addEventListener("htmx:oobAfterSwap", (event) => {
    for (const inner of event.detail.target.querySelectorAll("[id]")) {
      const before = kept.get(inner.id);
      if (before && before.open) inner.open = true;
      if (before && before.left) inner.scrollLeft = before.left;
    }
  });

  // Honesty: what is shown is old where the appliance does not answer.

  let answered = new Date();
  const time = (date) => date.toISOString().slice(11, 19);
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) {
      answered = new Date();
      stale.hidden = true;
    } else if (event.detail.requestConfig) {
      const text = `NOT ANSWERING. What is shown is as of ${time(answered)} UTC.`;
      if (stale.textContent !== text) stale.textContent = text;
      stale.hidden = false;
      document.title = "NOT ANSWERING \u00b7 Chancery";
    }
  });

  // The chart.

  const chart = element("chart");
  let drawn = null;
  let numbers = null;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const options = (width) => {
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font };
    const series = (stroke, dash, fill) => ({ stroke, dash, fill, width: 1.5, points: { show: false } });
    return {
      width,
      height: 190,
      legend: { show: false },
      cursor: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
      axes: [{ ...axis, space: 70, values: hours }, { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5] }],
      series: [
        {},
        series(color("--chart-signed"), undefined, color("--chart-fill")),
        series(color("--chart-refused"), [6, 3]),
        series(color("--chart-unavailable"), [2, 3]),
      ],
    };
  };
  const hours = (_, splits) => splits.map((at) => new Date(at * 1000).toISOString().slice(11, 16));
  const draw = () => {
    if (!numbers) return;
    element("chart-figure").hidden = false;
    if (drawn) drawn.destroy();
    drawn = new uPlot(options(chart.clientWidth), numbers, chart);
  };
  const count = async () => {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(chart.dataset.src);
      const { time, signed, refused, unavailable } = await answer.json();
      numbers = [time, signed, refused, unavailable];
      if (drawn) drawn.setData(numbers);
      else draw();
    } catch {
      // The refresh says that nobody answers.
    }
  };
  new ResizeObserver(() => {
    if (drawn && drawn.width !== chart.clientWidth) drawn.setSize({ width: chart.clientWidth, height: 190 });
  }).observe(chart);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  count();
  setInterval(count, 15000);
})();
