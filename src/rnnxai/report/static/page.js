// Samples: choose a network and an explainer, see the samples behind its score.
//
// What there is stands in the element samples-data:
//   cells     "dataset/tT/architecture/fold/explainer" -> samples, each with k: kind, i: row of the data set,
//             p: class predicted, v: cosine or null, z: score of the true class, m: largest magnitude,
//             s: relevance of the time steps in thousandths of the largest, h: heatmap (PNG in base64)
//   datasets  name -> classes, marked, size, samples: row -> label, marks, picture (PNG in base64)
//   names     explainer -> its title; kinds: what kinds of samples there are, and what they are chosen by
"use strict";

(() => {
  const found = JSON.parse(document.getElementById("samples-data").textContent);
  const form = document.getElementById("choice");
  const LEVELS = ["Data set", "T", "Architecture", "Fold", "Explainer"];
  const START = "#samples/";

  document.querySelectorAll(".enlarge").forEach((button) => {
    const paper = button.closest("figure").querySelector(".paper");
    button.addEventListener("click", () => {
      const large = paper.classList.toggle("large");
      button.setAttribute("aria-pressed", String(large));
      button.textContent = large ? "Fit" : "Enlarge";
      if (large) paper.tabIndex = 0;
      else paper.removeAttribute("tabindex");
    });
  });

  if (!form) return;
  const keys = Object.keys(found.cells).map((key) => key.split("/"));

  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const draw = (tag, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const png = (text) => `data:image/png;base64,${text}`;
  const short = (value) => value.toFixed(3).replace(/^(-?)0\./, "$1.");
  const say = (level, value) => {
    if (level === 1) return value.slice(1);
    if (level === 3) return value === "quality" ? "fixed split" : value;
    return level === 4 ? found.names[value] : value;
  };

  const selects = LEVELS.map((title, level) => {
    const select = make("select", { name: title });
    select.addEventListener("change", () => choose(selects.map((each) => each.value), level));
    form.append(make("label", {}, title, select));
    return select;
  });

  // Show what was asked for, or the nearest there is: what comes before the level that was changed stays.
  const choose = (wanted, level) => {
    let left = keys;
    selects.forEach((select, place) => {
      const values = [...new Set(left.map((key) => key[place]))];
      select.replaceChildren(...values.map((value) => make("option", { value }, say(place, value))));
      select.value = values.includes(wanted[place]) ? wanted[place] : values[0];
      select.parentElement.hidden = place === 1 && values.length < 2;
      left = left.filter((key) => key[place] === select.value);
    });
    const chosen = selects.map((select) => select.value);
    if (level !== undefined) history.replaceState(null, "", START + chosen.join("/"));
    show(chosen);
  };

  const strip = (address, text, marks, name) => {
    const made = make("div", { class: `strip ${name}` }, make("img", { src: address, alt: text }));
    marks.forEach((mark, block) => {
      const width = 100 / marks.length;
      if (mark) made.append(make("span", { style: `left:${block * width}%;width:${width}%` }));
    });
    return made;
  };

  const steps = (values, text) => {
    const width = 100 / values.length;
    const low = Math.min(0, ...values) / 1000;
    const high = Math.max(0, ...values) / 1000;
    const unit = 38 / (high - low || 1);
    const zero = 1 + high * unit;
    const bars = values.map((value, step) => {
      const height = (Math.abs(value) / 1000) * unit;
      return draw("rect", {
        class: value < 0 ? "against" : "for",
        x: step * width + 0.08 * width,
        width: 0.84 * width,
        y: value < 0 ? zero : zero - height,
        height,
      });
    });
    const line = draw("line", { x1: 0, x2: 100, y1: zero, y2: zero });
    const box = { class: "steps", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img" };
    return draw("svg", { ...box, "aria-label": text }, ...bars, line);
  };

  const card = (sample, dataset, title) => {
    const { label, marks, picture } = dataset.samples[sample.i];
    const right = sample.p === label;
    const majority = marks.flatMap((mark, block) => (mark ? [block + 1] : []));
    const where = majority.length ? `, majority in blocks ${majority.join(" and ")}` : "";
    const strongest = sample.s.indexOf(1000) >= 0 ? sample.s.indexOf(1000) : sample.s.indexOf(-1000);
    const score = sample.v === null ? (dataset.marked ? "no cosine" : "") : `cosine ${short(sample.v)}`;
    const per = strongest < 0 ? "no relevance in any step" : `largest in step ${strongest + 1} of ${sample.s.length}`;
    const classes = make("div", {}, make("span", {}, `true class ${dataset.classes[label]}`));
    classes.append(make("span", right ? {} : { class: "wrong" }, `predicted ${dataset.classes[sample.p]} ${right ? "\u2713" : "\u2717"}`));
    return make(
      "figure",
      { class: "card" },
      strip(png(picture), `Sample ${sample.i}: ${dataset.classes[label]}${where}`, marks, "input"),
      strip(png(sample.h), `Heatmap of sample ${sample.i} by ${title}, ${score || "unmarked"}`, marks, "map"),
      steps(sample.s, `Relevance per time step of sample ${sample.i}: ${per}`),
      make(
        "figcaption",
        {},
        make("div", {}, make("b", {}, score || `score ${sample.z}`), make("span", {}, `sample #${sample.i}`)),
        classes,
        make("div", {}, make("small", {}, `score of the true class ${sample.z}`), make("small", {}, `max |R| ${sample.m}`)),
      ),
    );
  };

  const show = (chosen) => {
    const [name, T, architecture, fold, explainer] = chosen;
    const dataset = found.datasets[name];
    const samples = found.cells[chosen.join("/")];
    const title = found.names[explainer];
    const kinds = found.kinds[dataset.marked ? "marked" : "unmarked"];
    const place = fold === "quality" ? "the fixed split" : `fold ${fold}`;
    document.getElementById("chosen").textContent =
      `${title} on ${architecture}, ${name}, T = ${T.slice(1)}, ${place}` +
      (samples.length ? "" : ": left out to keep the page small");
    document.getElementById("gallery").replaceChildren(
      ...Object.entries(kinds).flatMap(([kind, rule]) => {
        const of = samples.filter((sample) => sample.k === kind);
        if (!samples.length) return [];
        const heading = make("h3", {}, kind[0].toUpperCase() + kind.slice(1), make("small", {}, rule));
        const cards = of.map((sample) => card(sample, dataset, title));
        return [heading, of.length ? make("div", { class: "cards" }, ...cards) : make("p", { class: "note" }, "None.")];
      }),
    );
  };

  // An address such as #samples/mnist-maj/t12/deep/0/dtd leads to these samples.
  const follow = () => {
    if (!location.hash.startsWith(START)) return;
    choose(decodeURIComponent(location.hash.slice(START.length)).split("/"));
    const heading = document.getElementById("samples-title");
    heading.focus({ preventScroll: true });
    document.getElementById("choice").scrollIntoView({ block: "start" });
  };

  choose([]);
  addEventListener("hashchange", follow);
  follow();
})();
