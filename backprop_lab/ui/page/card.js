// The card: the step in words, with a question in its place while one is asked; and the tour, whose questions stand
// beside it.

import { labelled, letScroll, make, makeField } from "./elements.js";

function predicts({ question }) {
  return Boolean(question);
}

// A double click would also answer the question that comes next.
function makeAnswer(parent, word, say) {
  const button = make("button", "bpl-button", parent, word);
  button.onclick = ({ detail }) => detail > 1 || say();
  return button;
}

// A question with its answers, each of which tells `what`; shown anew, and that said, when it is another.
function makeQuestion(parent, what, tell) {
  const question = make("div", "bpl-question", parent);
  let shown = "null";
  return (now) => {
    const all = JSON.stringify(now ?? null);
    question.hidden = !now;
    if (all === shown) return false;
    shown = all;
    const hadFocus = question.contains(document.activeElement);
    question.replaceChildren();
    if (!now) return true;
    make("h4", "", question, now.title);
    fill(make("p", "", question), now.text);
    const answers = make("div", "bpl-signs", question), say = (text) => tell({ kind: "do", what, text });
    const kind = now.refused ? "bpl-refused" : `bpl-note ${now.right ? "bpl-is-right" : ""}`;
    if (now.told) make("div", kind, make("div", "bpl-said", question), now.told);
    for (const choice of now.choices) makeAnswer(answers, choice, () => say(choice));
    if (now.field) makeField(answers, now.field, "Type your answer and press Enter", say);
    for (const [does, word] of now.buttons ?? []) {
      makeAnswer(answers, word, () => tell({ kind: "do", what: does })).classList.add("bpl-more");
    }
    if (hadFocus) answers.querySelector("input, button")?.focus({ preventScroll: true });
    return true;
  };
}

// What was said, and a field for the learner's own reason.
function makeSaid(card, tell) {
  const said = make("div", "bpl-said", card);
  said.setAttribute("role", "status");
  const because = makeField(card, "Why?", "Type your reason in one line and press Enter", (text) =>
    tell({ kind: "do", what: "why", text }));
  return (note, why) => {
    if (because.parentElement.hidden !== !why) because.value = "";
    because.parentElement.hidden = !why;
    said.replaceChildren();
    if (note.text) make("div", `bpl-${note.kind}`, said, note.text);
  };
}

export function makeTour(board, { tell }, later) {
  const tour = labelled("A question", make("div", "bpl-tour", board)), showQuestion = makeQuestion(tour, "tour", tell);
  const fit = () => fitDown(tour);

  function show({ tour: now }) {
    tour.hidden = !now;
    board.classList.toggle("bpl-asks", Boolean(now));
    if (showQuestion(now)) later(fit);
  }

  return { show, fit };
}

function fillHead(head, state) {
  const { card: now, question: asked } = state;
  head.replaceChildren();
  const line = make("div", "bpl-head", head);
  make("span", "bpl-chip", line, asked ? "predict" : now.phase);
  make("span", "bpl-place", line, now.place);
  if (!asked) make("h4", "", head, now.title);
}

// Words or a line of NumPy, in which no number such as 1e-05 is broken at its minus.
function fill(line, text) {
  for (const part of text.split(/(\d+e-\d+)/)) {
    if (/^\d+e-/.test(part)) make("span", "", line, part);
    else line.append(part);
  }
}

// What is said to the learner stands where the sentence and the formula were, which can be read again later.
function fillWords(words, { card: now, remarks }, note) {
  words.replaceChildren();
  if (now.sentence && !note.text) make("p", "", words, now.sentence);
  if (now.formula && !note.text) make("div", "bpl-formula", words).innerHTML = now.formula;
  if (now.code) fill(make("code", now.right ? "bpl-wrong" : "", make("div", "bpl-line", words)), now.code);
  if (now.right) fill(make("code", "bpl-right", make("div", "bpl-line", words)), now.right);
  if (now.shapes) make("div", "bpl-shapes", words, now.shapes);
  if (remarks.length) {
    const about = make("div", "bpl-remarks", words);
    for (const { kind, text } of remarks) make("div", `bpl-${kind}`, about, text);
  }
}

// A formula that is too wide becomes smaller, or goes on in another line; one that then still is can be scrolled.
function fitAcross(formula) {
  const part = formula.clientWidth / formula.scrollWidth;
  if (part < 1) formula.style.fontSize = `${1.12 * Math.max(0.7, 0.98 * part)}em`;
  if (part < 0.7) formula.classList.add("bpl-goes-on-below");
  if (formula.scrollWidth > formula.clientWidth + 1) formula.tabIndex = 0;
}

// Words that are higher than their room become smaller; those that then still are can be scrolled, and what was said to
// an answer is in sight.
function fitDown(area) {
  for (const part of [1, 0.95, 0.9, 0.85]) {
    area.style.fontSize = part < 1 ? `calc(${0.93 * part} * var(--bpl-size, 14px))` : "";
    if (area.scrollHeight <= area.clientHeight + 1 || area.closest(".bpl-large")) break;
  }
  area.scrollTop = 0;
  const told = [...area.querySelectorAll(".bpl-question .bpl-note, .bpl-refused")].at(-1);
  if (told) area.scrollTop = told.getBoundingClientRect().bottom - area.getBoundingClientRect().bottom + 6;
  letScroll(area);
}

// What needs sizes is done `later`.
export function makeCard(board, { tell }, later) {
  const card = labelled("The step in words", make("div", "bpl-card", board));
  const head = make("div", "bpl-words", card);
  const showQuestion = makeQuestion(card, "answer", tell), say = makeSaid(card, tell);
  const words = make("div", "bpl-words", card);
  const fit = () => fitDown(card);

  let shown = "";
  function show(state, note) {
    const { card: now, remarks, question: asked, why } = state;
    const all = JSON.stringify([now, remarks, note, asked, why]);
    if (all === shown) return;
    shown = all;
    card.className = `bpl-card bpl-${predicts(state) ? "predict" : now.phase}`;
    showQuestion(asked);
    say(note, why);
    words.hidden = predicts(state);
    fillHead(head, state);
    fillWords(words, state, note);
    later(() => {
      for (const formula of words.querySelectorAll(".bpl-formula")) fitAcross(formula);
      fit();
      for (const line of words.querySelectorAll(".bpl-line")) letScroll(line);
    });
  }

  return { show, fit };
}
