"use strict";
// Draws the structure that the page carries as JSON. Whatever text is shown goes through textContent.
(() => {
  const part = (id) => document.getElementById(id);
  const data = JSON.parse(part("data").textContent);
  const state = document.documentElement.dataset;
  const PATIENCE = 15000; // ms until the script counts as unreachable
  const AROUND = 8; // residues on each side of the strongest
  const TURNS = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] };
  const ZOOMS = { "+": 1.2, "=": 1.2, "-": 1 / 1.2 };

  function fail(words) {
    if (state.state !== "loading") return;
    state.state = "failed";
    part("stage").hidden = true;
    for (const id of ["closer", "whole"]) part(id).hidden = true;
    part("note").hidden = false;
    part("note").textContent = words;
  }

  function attempt(step) {
    try {
      step();
    } catch (error) {
      fail(`${data.words.broken} (${error})`);
    }
  }

  function load() {
    const script = document.createElement("script");
    if (data.library.text) {
      script.textContent = data.library.text;
      document.head.append(script);
      attempt(draw);
      return;
    }
    script.src = data.library.url;
    script.integrity = data.library.integrity;
    script.crossOrigin = "anonymous";
    script.onload = () => attempt(draw);
    script.onerror = () => fail(data.words.unreachable);
    document.head.append(script);
    setTimeout(() => fail(data.words.unreachable), PATIENCE);
  }

  function atoms() {
    const { owners, names, elements, xyz } = data.atoms;
    return owners.map((owner, i) => {
      const [chain, order, fold, group, colour] = data.residues[owner];
      return {
        x: xyz[3 * i], y: xyz[3 * i + 1], z: xyz[3 * i + 2], atom: names[i], elem: elements[i],
        chain, resi: order, rescode: String(order), resn: data.names[owner], ss: fold, hetflag: group === "ligand",
        color: colour, group, owner, bonds: [], bondOrder: [], properties: {},
      };
    });
  }

  function shows(owner) {
    const said = data.said[owner];
    if (!said) return "";
    const [letter, position, author, activation] = said;
    const strength = activation === null ? data.words.silent : `activation ${activation.toFixed(3)}`;
    return `${letter}${position} · ${strength} · ${author} in the file`;
  }

  function draw() {
    if (state.state !== "loading") return;
    if (typeof $3Dmol === "undefined") return fail(data.words.unreachable);
    const canvas = document.createElement("canvas");
    if (!canvas.getContext("webgl2") && !canvas.getContext("webgl")) return fail(data.words.webgl);
    const backgroundColor = getComputedStyle(document.body).getPropertyValue("--ground");
    const viewer = $3Dmol.createViewer(part("stage"), { backgroundColor, antialias: true });
    const model = viewer.addModel();
    model.addAtoms(atoms());
    for (const own of [true, false]) {
      const name = own ? "own" : "rest";
      const opacity = own ? 1 : data.faint;
      viewer.setStyle({ group: `${name}-cartoon` }, { cartoon: { arrows: true, opacity } });
      viewer.setStyle({ group: `${name}-trace` }, { cartoon: { style: "trace", thickness: 0.6, opacity } });
    }
    viewer.setStyle({ group: "own-sphere" }, { sphere: { scale: 0.5 } });
    viewer.setStyle({ group: "ligand" }, { sphere: { scale: 0.3, opacity: data.faint } });
    const own = { group: ["own-cartoon", "own-trace", "own-sphere"] };
    viewer.setHoverable(own, true, (atom) => { part("residue").textContent = shows(atom.owner); },
      () => { part("residue").textContent = ""; });
    viewer.setHoverDuration(30);
    const whole = () => {
      const { clientWidth, clientHeight } = part("stage");
      viewer.zoomTo(own); // which fits the height alone
      viewer.zoom(Math.min(1, clientWidth / clientHeight));
    };
    const closer = () => {
      const near = data.residues.map((_, i) => i).filter((i) => Math.abs(i - data.strongest) <= AROUND);
      viewer.zoomTo({ owner: near }, 400);
      part("residue").textContent = shows(data.strongest);
    };
    part("whole").onclick = whole;
    part("closer").onclick = closer;
    part("closer").hidden = data.strongest === null;
    part("stage").addEventListener("keydown", (event) => {
      if (event.key in TURNS) viewer.rotate(...TURNS[event.key]);
      else if (event.key in ZOOMS) viewer.zoom(ZOOMS[event.key]);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => viewer.resize()).observe(part("stage"));
    whole();
    viewer.render();
    window.viewer = viewer;
    state.state = "drawn";
  }

  part("stage").setAttribute("aria-label", data.words.label);
  part("bar").style.background = `linear-gradient(to right, ${data.scale.join(", ")})`;
  part("silent").firstElementChild.style.background = data.colours.silent;
  part("others").firstElementChild.style.background = data.colours.others;
  part("others").firstElementChild.style.opacity = data.faint;
  part("others").hidden = !data.residues.some((residue) => !residue[3].startsWith("own"));
  attempt(load);
})();
