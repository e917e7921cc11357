/* One trial: its figures, what went wrong, and its timeline. */
const trialPlace = document.getElementById("trial");

function showTrial(number) {
  const row = byNumber.get(number);
  const trial = page.trials[number];
  const command = `dspy-profiles trace ${page.id} ${number} --html trial.html`;
  trialPlace.replaceChildren(...headOf(row));
  if (!trial) {
    const note = `The steps of this trial are not in this page, to keep it small: ${command}`;
    trialPlace.append(element("p", { className: "note" }, note));
    return;
  }
  if (trial.error) {
    const said = element("div", { className: "failure" });
    said.append(element("pre", { dir: "auto" }, trial.error));
    if (trial.where) said.append(element("p", { className: "muted" }, "in ", inline(trial.where)));
    trialPlace.append(said);
  }
  const parts = trial.parts.map((part) => foldedPart(part, command));
  if (parts.length) trialPlace.append(element("div", { className: "ends" }, ...parts));
  if (!trial.steps.length) {
    trialPlace.append(element("p", { className: "note" }, "No steps were recorded."));
    return;
  }
  const list = timeline(trial.steps, trial.seconds, command);
  trialPlace.append(barOf(trial.steps, list), ...scaleOf(trial), list);
}

function headOf(row) {
  const shown = row.shown;
  const title = element("h1", { tabindex: "-1", dir: "auto" }, inline(shown.name), " ");
  title.append(statusOf(row));
  const facts = [`trial ${shown.number}`, shown.kind];
  if (row.parent) facts.push(`tried with ${row.parent}`);
  if (row.inferred) facts.push("its program was not observed");
  const about = element("p", { className: "about" }, inline(facts.join(" · ")), " ");
  about.append(element("code", {}, row.id));
  const figures = element("dl", { className: "figures" });
  for (const label of ["score", "time", "calls", "tokens", "cost"]) {
    const value = element("dd", {}, shown[label]);
    figures.append(element("div", {}, element("dt", {}, label), value));
  }
  return [pathOf(row), element("header", {}, title, about, figures)];
}

/** The way back, and to the trials beside this one in the table as it is sorted and filtered. */
function pathOf(row) {
  const nav = element("nav", { className: "path", "aria-label": "Trials" });
  if (page.kind === "trial") {
    nav.append(inline(page.name, "muted"));
    return nav;
  }
  nav.append(element("a", { href: "#", className: "back" }, "← ", inline(page.name)));
  const [before, after] = beside(row.number);
  const link = (number, text) =>
    number === undefined
      ? element("span", { className: "muted" }, text)
      : element("a", { href: `#trial-${number}` }, text);
  const links = element("span", { className: "beside" });
  links.append(link(before, "Previous"), " ", link(after, "Next"));
  nav.append(links);
  return nav;
}

/** Search in the steps, and all of them opened or closed. */
function barOf(steps, list) {
  const texts = steps.map(textsOf);
  const items = [...list.children];
  const said = element("span", { className: "count", role: "status" });
  const look = () => {
    const words = wordsOf(search.value);
    let count = 0;
    items.forEach((item, index) => {
      item.hidden = !words.every((word) => texts[index].includes(word));
      count += item.hidden ? 0 : 1;
    });
    const all = counted(steps.length, "step");
    said.textContent = words.length ? `${grouped(count)} of ${all}` : all;
  };
  const search = searchOf("Search in the steps", look);
  const toggle = () => {
    const open = items.some((item) => !item.hidden && !item.firstChild.open);
    for (const item of items) if (!item.hidden) item.firstChild.open = open;
  };
  const all = element("button", { type: "button", onclick: toggle }, "Open or close all");
  look();
  return element("div", { className: "bar", role: "search" }, search, said, all);
}

function searchOf(label, onInput) {
  return element("input", {
    type: "search",
    className: "search",
    placeholder: `${label}  /`,
    "aria-label": label,
    spellcheck: "false",
    autocomplete: "off",
    oninput: onInput,
  });
}

/** What the bars at the right mean: from the beginning of the trial to its end. */
function scaleOf(trial) {
  if (!trial.seconds) return [];
  const ends = [element("span", {}, "0"), element("span", {}, trial.length)];
  return [element("div", { className: "scale", "aria-hidden": "true" }, ...ends)];
}
