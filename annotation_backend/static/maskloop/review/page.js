// The review page: joins the viewer, its switches, the mask's numbers, comments, and the form of the verdict.

import { Comments } from "./comments.js";
import { listen } from "./keys.js";
import { Numbers } from "./numbers.js";
import { Pen } from "./pen.js";
import { Unsure } from "./uncertainty.js";
import { Viewer } from "./viewer.js";
import { windowOf } from "./windows.js";

const root = document.querySelector("[data-review]");
const find = (name) => root.querySelector(`[data-${name}]`);
const values = JSON.parse(root.dataset.review);
const form = document.querySelector("form[data-verdict]");
const canvas = root.querySelector("canvas");
const say = (words) => { find("said").textContent = words; };
const viewer = new Viewer(values, canvas, root.dataset.font);
const numbers = new Numbers(find("numbers"), viewer);
const comments = new Comments(find("pinned"), viewer, values.comments, root.dataset.token);
const pen = find("pen") ? new Pen(find("pen"), viewer, { token: root.dataset.token, say }) : null;
const unsure = find("unsure") ? new Unsure(find("unsure"), viewer, say) : null;
const RELOAD_MS = 4000;
let stop = -1;

function score(number) {
  const radio = form && form.querySelectorAll("input[name=quality_score]")[number - 1];
  if (!radio) return;
  radio.checked = true;
  say(`Score: ${radio.closest("label").querySelector("[data-name]").textContent}`);
}

function decide(verdict) {
  if (!form) return say("This case takes no verdict now.");
  const score = form.querySelector("input[name=quality_score]:checked");
  if (!score) return say("First the score: keys 1 to 5.");
  const button = form.querySelector(`button[value=${verdict}]`);
  if (!button) return say("This stage returns no case.");
  const goesDown = (form.dataset.down || "").split(" ").includes(score.value);
  if (verdict === "approve" && goesDown) return say("With this score the case is not approved: R sends it down.");
  const comment = form.querySelector("textarea[name=comment]");
  if (verdict === "return" && !goesDown && !comment.value.trim()) {
    const slices = [...new Set(comments.open.map((each) => each.slice))].sort((one, other) => one - other);
    if (!slices.length) {
      say("A return needs a comment: write it, then press the button, or pin one with C.");
      comment.focus();
      return undefined;
    }
    comment.value = `See the comments on slice${slices.length > 1 ? "s" : ""} ${slices.join(", ")}.`;
  }
  button.click();
  return undefined;
}

function nextStop() {
  const losses = (root.dataset.findings || "").split(" ").filter(Boolean).map((slice) => ({ slice: Number(slice), words: `Finding on slice ${slice}` }));
  const pinned = comments.open.map((each) => ({ voxel: each.voxel, words: `Comment on slice ${each.slice}` }));
  const all = [...losses, ...numbers.stops, ...pinned];
  if (!all.length) return say("Nothing odd was found in this mask.");
  stop = (stop + 1) % all.length;
  numbers.jump(all[stop]);
  return say(`${all[stop].words} (${stop + 1} of ${all.length})`);
}

function largestChange() {
  if (!numbers.change) return say("There is no former version that differs.");
  viewer.goToSlice(numbers.change.slice);
  return say(`Slice ${numbers.change.slice} changed most against the former version: ${numbers.change.mm2} mm².`);
}

function toggleKind(kind, none = "The case has no such mask.") {
  const found = root.querySelectorAll(`input[data-overlay][data-kind=${kind}]`);
  if (!found.length) return say(none);
  const checked = [...found].find((box) => box.checked);
  (checked || found[0]).click();
  return undefined;
}

function press(name) {
  const button = find(name);
  if (button && !button.hidden) button.click();
}

function turnView() {
  const views = [...root.querySelectorAll("[data-view]")];
  const now = views.findIndex((button) => button.getAttribute("aria-pressed") === "true");
  views[(now + 1) % views.length].click();
}

function setUpSwitches() {
  root.querySelectorAll("input[data-overlay]").forEach((box) => {
    const overlay = viewer.overlays.find((each) => each.key === box.dataset.overlay);
    box.checked = overlay.is_shown;
    box.addEventListener("change", async () => {
      try {
        await viewer.toggle(overlay);
        if (overlay.kind === "uncertainty") unsure.changed();
      } catch {
        overlay.is_shown = box.checked = false;
        say(overlay.kind === "uncertainty" ? "How unsure the model is could not be fetched." : "This mask could not be fetched.");
      }
    });
  });
  root.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
    root.querySelectorAll("[data-view]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
    viewer.setView(button.dataset.view);
  }));
  const pressed = (name, act) => find(name).addEventListener("click", (event) => {
    const now = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(now));
    act(now);
  });
  pressed("filled", (now) => viewer.setFilled(now));
  pressed("measure", (now) => {
    viewer.setMeasure(now ? numbers.diameters : null);
    if (now) viewer.goToSlice(Math.round(numbers.diameters.long.ends[0][viewer.axis]));
  });
  find("slice").addEventListener("input", (event) => viewer.goToSlice(Number(event.target.value)));
  find("comment").addEventListener("click", () => comments.begin());
  find("change").addEventListener("click", largestChange);
  find("stop").addEventListener("click", nextStop);
  const help = root.querySelector("dialog");
  find("help").addEventListener("click", () => help.showModal());
  help.querySelector("button").addEventListener("click", () => help.close());
}

function setUpWindows() {
  const chosen = find("image");
  const low = find("low"), high = find("high"), preset = find("preset");
  const image = () => viewer.images[Number(chosen.value)];
  const show = () => {
    const volume = image().volume;
    if (!volume) return;
    low.value = round(volume.cal_min);
    high.value = round(volume.cal_max);
    preset.replaceChildren(...[...image().windows.map((each) => each.name), "own"].map((name) => new Option(name, name, false, name === image().preset)));
  };
  const set = () => {
    if (!(Number(high.value) > Number(low.value))) return;
    image().preset = "own";
    preset.value = "own";
    viewer.setWindow(image(), Number(low.value), Number(high.value));
  };
  chosen.addEventListener("change", show);
  low.addEventListener("change", set);
  high.addEventListener("change", set);
  preset.addEventListener("change", () => {
    image().preset = preset.value;
    const wanted = image().windows.find((each) => each.name === preset.value);
    if (wanted) viewer.setWindow(image(), ...windowOf(wanted, image().volume));
    show();
  });
  viewer.onWindow = (index) => { if (index === Number(chosen.value)) { image().preset = "own"; show(); } };
  const share = find("blend"), other = find("other");
  let waits = false;
  const blend = () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { waits = false; viewer.blend(viewer.images[Number(other.value)], Number(share.value) / 100); });
  };
  if (share) {
    share.addEventListener("input", blend);
    other.addEventListener("change", blend);
  }
  return { show, swap: () => { if (share) { share.value = Number(share.value) > 50 ? 0 : 100; blend(); } } };
}

function round(value) {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

function setUpKeys(swap) {
  const step = (by) => () => viewer.goToSlice(viewer.slice + by);
  const actions = {
    a: () => decide("approve"), r: () => decide("return"), c: () => comments.begin(), n: () => press("next"),
    d: nextStop, l: largestChange, ArrowUp: step(1), ArrowRight: step(1), k: step(1), ArrowDown: step(-1), ArrowLeft: step(-1), j: step(-1),
    PageUp: step(5), PageDown: step(-5), Home: () => viewer.goToSlice(0), End: () => viewer.goToSlice(values.plane.count - 1),
    m: () => toggleKind("counts"), f: () => toggleKind("former"), p: () => toggleKind("model"), o: () => toggleKind("reader"),
    h: () => toggleKind("uncertainty", "No model has said how unsure it is of this case."),
    g: () => press("filled"), w: turnView, b: swap, x: () => press("measure"), "+": () => viewer.zoom(1.25), "=": () => viewer.zoom(1.25),
    "-": () => viewer.zoom(0.8), 0: () => viewer.zoom(0), "?": () => press("help"),
    e: () => { if (pen) pen.begin(); else say("This stage does not correct masks: return the case with a comment."); },
    z: () => { if (pen) pen.undo(); }, Escape: () => { if (pen) pen.end(); },
    u: () => { const box = form && form.querySelector("input[name=accepts_unannotated]"); if (box) box.click(); },
  };
  for (let number = 1; number <= 5; number += 1) actions[number] = () => score(number);
  listen(actions, canvas);
}

async function begin() {
  root.classList.add("live");
  root.querySelector("[data-stage]").hidden = false;
  document.querySelectorAll("details[data-pictures]").forEach((each) => { each.open = false; });
  find("slice").max = values.plane.count - 1;
  viewer.onMove = (voxel) => {
    const index = voxel[viewer.axis];
    find("slice").value = index;
    find("number").textContent = `${index} of 0–${values.plane.count - 1}`;
    if (numbers.curve) numbers.curve.show(index);
    if (unsure) unsure.moved(voxel);
  };
  setUpSwitches();
  const windows = setUpWindows();
  setUpKeys(windows.swap);
  canvas.focus({ preventScroll: true });
  const started = viewer.start();
  await started;
  root.dataset.state = "ready";
  find("state").textContent = "";
  windows.show();
  await Promise.all([comments.load(), values.figures ? numbers.load(values.figures) : null]);
  root.dataset.state = "complete";
}

if (root.dataset.waits) setTimeout(() => window.location.reload(), RELOAD_MS);

begin().catch(() => {
  root.dataset.state = "failed";
  find("state").textContent = "The viewer could not start in this browser; the slices stand below as pictures.";
  document.querySelectorAll("details[data-pictures]").forEach((each) => { each.open = true; });
});
