/* Which part is shown, and the keys. */
const overview = document.getElementById("experiment");
const isTrialPage = page.kind === "trial";
let lastOpened = null;

function route() {
  const found = /^#trial-(\d+)$/.exec(location.hash);
  const number = isTrialPage ? page.rows[0].number : found && Number(found[1]);
  if (number !== null && byNumber.has(number)) {
    showTrial(number);
    trialPlace.hidden = false;
    if (overview) overview.hidden = true;
    document.title = `${byNumber.get(number).shown.name} · ${page.name}`;
    if (!isTrialPage) {
      lastOpened = number;
      window.scrollTo(0, 0);
      trialPlace.querySelector("h1").focus({ preventScroll: true });
    }
    return;
  }
  if (isTrialPage || overview.hidden === false) return;
  overview.hidden = false;
  trialPlace.hidden = true;
  trialPlace.replaceChildren();
  document.title = page.name;
  turnTo(lastOpened);
  overview.querySelector(`.trials a[href="#trial-${lastOpened}"]`)?.focus();
}

/** What j and k go through: the trials of the table, or the steps of the trial that is open. */
function stops() {
  if (overview && !overview.hidden) return [...overview.querySelectorAll(".trials tbody a")];
  return [...trialPlace.querySelectorAll(".steps li:not([hidden]) > details > summary")];
}

function move(by) {
  const all = stops();
  const here = all.findIndex((stop) => stop === document.activeElement || isAround(stop));
  let next = here < 0 ? (by > 0 ? 0 : -1) : here + by;
  let from = all;
  const isTable = overview && !overview.hidden;
  if (isTable && here >= 0 && (next >= all.length || next < 0) && turn(by)) {
    from = stops();
    next = by > 0 ? 0 : from.length - 1;
  }
  const stop = from[next];
  if (!stop) return;
  stop.focus({ preventScroll: true });
  stop.closest("tr, summary").scrollIntoView({ block: "nearest" });
}

/** Whether the focus is in what belongs to this step. */
const isAround = (stop) =>
  stop.matches("summary") && stop.parentElement.contains(document.activeElement);

function leave() {
  const here = document.activeElement;
  if (here?.matches(".search") && here.value) {
    here.value = "";
    here.dispatchEvent(new Event("input"));
  } else if (here?.matches("input, select")) {
    here.blur();
  } else if (!isTrialPage && !trialPlace.hidden) {
    location.hash = "";
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return leave();
  const here = document.activeElement;
  if (here?.matches("input, select, textarea")) return;
  const isStop = here?.matches(".trials a, .steps summary");
  const step = { j: 1, k: -1, ArrowDown: isStop && 1, ArrowUp: isStop && -1 }[event.key];
  const turned = { n: ".beside a:last-child", p: ".beside a:first-child" }[event.key];
  if (step) move(step);
  else if (event.key === "/") {
    const place = overview && !overview.hidden ? overview : trialPlace;
    place.querySelector(".search")?.focus();
  } else if (turned && !trialPlace.hidden) trialPlace.querySelector(turned)?.click();
  else return;
  event.preventDefault();
});

if (!isTrialPage) {
  const place = document.getElementById("trials");
  if (page.rows.length) buildTable(place);
  else place.append(element("p", { className: "note" }, "No trials were recorded."));
  if (page.outside.length) {
    const outside = document.getElementById("outside");
    const command = `dspy-profiles trace ${page.id} --full`;
    outside.append(timeline(page.outside, page.seconds, command));
    outside.hidden = false;
  }
}
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its place differs with what is shown
  stops()[0]?.focus();
});
window.addEventListener("hashchange", route);
route();
document.querySelector(".keys").hidden = isTrialPage ? !stops().length : !page.rows.length;
