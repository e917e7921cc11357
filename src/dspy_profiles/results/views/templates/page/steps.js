/* A timeline: one line for each step, what belongs to it folded under it. */
const AT_ONCE = 20000; // characters of a text that are shown before somebody asks for the rest

function timeline(steps, total, command) {
  const list = element("ol", { className: "steps" });
  for (const step of steps) list.append(element("li", {}, stepOf(step, total, command)));
  return list;
}

function stepOf(step, total, command) {
  const hasBody = Boolean(step.parts || step.marks || (step.error && !step.within));
  const line = element("summary", {}, ...lineOf(step, total));
  const made = element("details", { className: `step ${step.kind}` }, line);
  made.style.setProperty("--depth", step.depth || 0);
  if (step.status === "failed" || step.status === "interrupted") made.classList.add("wrong");
  if (!hasBody) made.classList.add("bare");
  made.addEventListener("toggle", () => {
    if (made.open && !made.querySelector(".body")) made.append(bodyOf(step, command));
  });
  return made;
}

function saidOf(step) {
  const said = element("span", { className: "said" }, inline(step.title, "title"));
  if (step.error && !step.within) {
    said.append(" ", inline(step.error.split("\n", 1)[0], "error"));
    return said;
  }
  if (step.asked) said.append(" ", inline(step.asked, "asked"));
  if (step.answered) {
    if (step.asked) said.append(element("span", { className: "arrow" }, " → "));
    else said.append(" ");
    said.append(inline(step.answered, "answered"));
  }
  if (step.within) said.append(" ", element("span", { className: "error" }, "failed in a step of it"));
  return said;
}

function lineOf(step, total) {
  const notes = [...(step.notes || [])];
  for (const mark of step.marks || []) notes.push(mark.split(":", 1)[0]);
  const point = step.kind === "score" || step.kind === "decision";
  const seconds = point ? undefined : (step.seconds ?? Math.max(0, total - step.at));
  return [
    element("span", { className: "margin" }, step.margin),
    element("span", { className: "kind" }, step.kind),
    saidOf(step),
    element("span", { className: "notes" }, notes.join(" · ")),
    element("span", { className: "length" }, step.length || ""),
    track(step.at || 0, seconds, total, point ? "point" : "bar"),
  ];
}

function bodyOf(step, command) {
  const body = element("div", { className: "body" });
  if (step.error && !step.within) body.append(partOf("error", step.error, "error"));
  for (const mark of step.marks || []) body.append(element("p", { className: "note" }, mark));
  for (const part of step.parts || []) body.append(foldedPart(part, command));
  return body;
}

function foldedPart(part, command) {
  const className = part.answer ? "answer" : "";
  const made = partOf(part.label, page.texts[part.text], className);
  if (part.letters) {
    const note = `The beginning of ${grouped(part.letters)} characters; all of them: ${command}`;
    made.append(element("p", { className: "note" }, note));
  }
  return made;
}

function partOf(label, text, className) {
  const shown = element("pre", { dir: "auto", role: "group", tabindex: "0", "aria-label": label });
  shown.textContent = text.slice(0, AT_ONCE);
  const made = element(
    "div",
    { className: `part ${className}` },
    element("div", { className: "label" }, label),
    shown,
  );
  if (text.length > AT_ONCE) {
    const rest = () => {
      shown.textContent = text;
      button.remove();
      shown.focus();
    };
    const words = `Show all ${grouped(text.length)} characters`;
    const button = element("button", { type: "button", onclick: rest }, words);
    made.append(button);
  }
  return made;
}

/** Everything that a step says, to be looked through. */
function textsOf(step) {
  const parts = (step.parts || []).map((part) => page.texts[part.text]);
  const own = [step.kind, step.title, step.asked, step.answered, step.error, step.status];
  return [...own, ...(step.notes || []), ...parts].filter(Boolean).join("\n").toLowerCase();
}
