// Draws a plot above each table that asks for one, from the table's own numbers. Series differ by colour, and by line and
// points or by stripes as well; the table stays for whoever does not see the plot.
"use strict";

const COLOURS = ["#1864ab", "#b84309", "#1a7f37", "#6741d9", "#59636e", "#a61e4d"];
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 4], [12, 3]];
const POINTS = ["circle", "rect", "triangle", "rectRot", "cross", "star"];

// Stripes in a direction of its own for each series, so that bars differ without colour.
function filling(number) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 10;
  const pen = tile.getContext("2d");
  pen.fillStyle = COLOURS[number % COLOURS.length];
  pen.fillRect(0, 0, 10, 10);
  pen.strokeStyle = "#fff";
  pen.lineWidth = 1.5;
  const strokes = [[], [[0, 10, 10, 0]], [[0, 0, 10, 10]], [[0, 5, 10, 5]], [[5, 0, 5, 10]], [[0, 5, 10, 5], [5, 0, 5, 10]]];
  strokes[number % strokes.length].forEach(([x, y, toX, toY]) => { pen.beginPath(); pen.moveTo(x, y); pen.lineTo(toX, toY); pen.stroke(); });
  return pen.createPattern(tile, "repeat");
}

function numbersOf(table) {
  const head = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows].filter((row) => row.cells[0].textContent.trim() !== "All");
  const wanted = table.dataset.plotted.split("|");
  const columns = head.map((name, index) => ({ name, index })).filter((column) => wanted.includes(column.name));
  const value = (row, index) => { const text = row.cells[index].textContent.trim(); return text === "–" ? null : Number(text.replaceAll(",", "")); };
  const series = columns.map((column) => ({ label: column.name, data: rows.map((row) => value(row, column.index)) }));
  return { labels: rows.map((row) => row.cells[0].textContent.trim()), series };
}

// Of a stacked plot each bar is a column of the table, and each row a part of it.
function turned({ labels, series }) {
  return {
    labels: series.map((one) => one.label),
    series: labels.map((label, index) => ({ label, data: series.map((one) => one.data[index]) })),
  };
}

function plot(table) {
  const kind = table.dataset.plot;
  const { labels, series } = kind === "stacked" ? turned(numbersOf(table)) : numbersOf(table);
  const box = document.createElement("div");
  box.className = "plot";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Plot of ${table.closest("section").querySelector("h2").textContent}; its numbers are in the table below.`);
  box.append(canvas);
  table.parentElement.before(box);
  const datasets = series.map((one, number) => ({
    ...one,
    backgroundColor: kind === "line" ? COLOURS[number % COLOURS.length] : filling(number),
    borderColor: COLOURS[number % COLOURS.length],
    borderDash: kind === "line" ? DASHES[number % DASHES.length] : [],
    borderWidth: kind === "line" ? 2 : 1,
    pointStyle: POINTS[number % POINTS.length],
    pointRadius: 4,
  }));
  const isStacked = kind === "stacked";
  const areCounts = series.every((one) => one.data.every((value) => value === null || Number.isInteger(value)));
  return new Chart(canvas, {
    type: kind === "line" ? "line" : "bar",
    data: { labels, datasets },
    options: {
      animation: false,
      maintainAspectRatio: false,
      scales: { x: { stacked: isStacked }, y: { stacked: isStacked, beginAtZero: true, ticks: areCounts ? { precision: 0 } : {} } },
      plugins: { legend: { labels: { usePointStyle: kind === "line" } } },
    },
  });
}

document.querySelectorAll("table[data-plot]").forEach((table) => { if (table.dataset.plot) { plot(table); } });
