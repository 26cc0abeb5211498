// Comments at voxels: their list, their marks in the viewer, and a form that pins a new one where the cross stands.

export class Comments {
  constructor(section, viewer, address, token) {
    this.section = section;
    this.viewer = viewer;
    this.address = address;
    this.token = token;
    this.all = [];
    this.form = section.querySelector("form");
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.pin(); });
    this.form.querySelector("[data-cancel]").addEventListener("click", () => this.shut());
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.shut();
      if (event.key === "Enter" && event.ctrlKey) this.pin();
    });
  }

  async load() {
    const answer = await fetch(this.address, { credentials: "same-origin", headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status}`);
    this.all = (await answer.json()).comments;
    this.show();
  }

  get open() {
    return this.all.filter((comment) => comment.isOpen);
  }

  show() {
    const list = this.section.querySelector("[data-comments]");
    list.replaceChildren(...this.all.map((comment) => this.line(comment)));
    this.section.querySelector("[data-none]").hidden = this.all.length > 0;
    this.viewer.marks = this.open.map((comment) => comment.voxel);
    this.viewer.redraw();
  }

  line(comment) {
    const line = document.createElement("li");
    line.className = comment.isOpen ? "" : "soft";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `Slice ${comment.slice}`;
    button.addEventListener("click", () => this.viewer.go(comment.voxel));
    const words = document.createElement("span");
    words.textContent = ` ${comment.text} `;
    const who = document.createElement("small");
    who.className = "soft";
    who.textContent = `${comment.author}, ${comment.created}${comment.isOpen ? "" : " · closed"}`;
    line.append(button, words, who);
    comment.answers.forEach((answer) => {
      const said = document.createElement("p");
      said.className = "answer";
      said.textContent = `${answer.author}: ${answer.text}`;
      line.append(said);
    });
    return line;
  }

  begin() {
    this.voxel = this.viewer.voxel;
    this.form.hidden = false;
    this.form.querySelector("[data-place]").textContent = `Slice ${this.viewer.slice}, voxel ${this.voxel.join(", ")}`;
    this.say("");
    this.form.querySelector("textarea").focus();
  }

  shut() {
    this.form.hidden = true;
    this.viewer.canvas.focus();
  }

  say(words) {
    this.form.querySelector("[data-refusal]").textContent = words;
  }

  async pin() {
    const area = this.form.querySelector("textarea");
    const body = new FormData();
    const [i, j, k] = this.voxel;
    Object.entries({ i, j, k, text: area.value, mask: this.form.dataset.mask }).forEach(([key, value]) => body.append(key, value));
    const answer = await fetch(this.address, { method: "POST", credentials: "same-origin", headers: { "X-CSRFToken": this.token }, body });
    const said = await answer.json().catch(() => ({ message: "The service did not answer.", remedy: "Try again in a moment." }));
    if (!answer.ok) {
      this.say(`${said.message} ${said.remedy}`);
      return;
    }
    area.value = "";
    this.all = [...said.comments, ...this.all];
    this.show();
    this.shut();
  }
}
