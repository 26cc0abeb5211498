// Deciding between readers by keyboard: n and p go from region to region, digits choose, v previews, s goes to saving. The slice of the region
// at hand is shown beside it, and the chosen mask follows each choice. Without this script the same form works by Tab and its buttons.
const form = document.querySelector("form.adjudicate");
const regions = form ? [...form.querySelectorAll("fieldset.region")] : [];
const spot = form ? form.querySelector(".spot") : null;
let at = -1;

function word() {
  const chosen = regions
    .map((region) => [region.id.replace("region-", "").replace("-", "."), region.querySelector("input:checked")?.value])
    .filter(([, choice]) => choice)
    .map(([name, choice]) => `~${name}.${choice}`);
  return `regions~${form.querySelector("#rest").value}${chosen.join("")}`;
}

function withChoices(source) {
  const address = new URL(source, window.location.href);
  address.searchParams.set("choices", word());
  return address.pathname + address.search;
}

function renew() {
  if (!form.dataset.byRegion) return;
  document.querySelectorAll("img[data-choices]").forEach((image) => { image.setAttribute("src", withChoices(image.getAttribute("src"))); });
}

function show(region) {
  const figure = document.getElementById(`slice-${region.dataset.slice}`);
  if (!figure || !spot) return;
  spot.hidden = false;
  spot.querySelector("h2").textContent = `Slice ${region.dataset.slice}`;
  spot.querySelector(".spot-pictures").replaceChildren(...[...figure.querySelectorAll("img")].map((image) => {
    const copy = image.cloneNode();
    copy.loading = "eager";
    return copy;
  }));
}

function go(step) {
  if (!regions.length) return;
  at = Math.min(Math.max(at + step, 0), regions.length - 1);
  regions.forEach((region, place) => region.classList.toggle("current", place === at));
  (regions[at].querySelector("input:checked") || regions[at]).focus({ preventScroll: true });
  regions[at].scrollIntoView({ block: "center" });
  show(regions[at]);
}

function choose(digit) {
  if (at < 0) return;
  const options = [...regions[at].querySelectorAll("input[type=radio]")];
  const option = digit === 0 ? options.at(-1) : options.slice(0, -1)[digit - 1];
  if (!option) return;
  option.checked = true;
  option.focus({ preventScroll: true });
  renew();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, textarea, input[type=text]")) return;
  if (/^[0-9]$/.test(event.key)) choose(Number(event.key));
  else if (event.key === "n") go(1);
  else if (event.key === "p") go(-1);
  else if (event.key === "v") form.querySelector("button[value=preview]")?.click();
  else if (event.key === "s") form.querySelector("[data-save]")?.focus();
  else return;
  event.preventDefault();
}

if (form) {
  form.querySelectorAll(".keys").forEach((keys) => { keys.hidden = false; });
  document.addEventListener("keydown", pressed);
  form.addEventListener("change", renew);
  regions.forEach((region, place) => region.addEventListener("focusin", () => {
    if (place === at) return;
    at = place;
    regions.forEach((one, other) => one.classList.toggle("current", other === at));
    show(region);
  }));
}
