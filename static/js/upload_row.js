// The line of one upload on the page: its name, what happens to it, how far it is. Names are set as
// text, never as HTML.

export class UploadRow {
  // `template`: the element to copy; `list`: where to put it; `onRetry()`: the person wants it once
  // more.
  constructor(name, { template, list, onRetry }) {
    this.node = template.content.firstElementChild.cloneNode(true);
    this.bar = this.node.querySelector(".bar");
    this.message = this.node.querySelector("[data-words]");
    this.retryButton = this.node.querySelector("[data-again]");
    this.stopButton = this.node.querySelector("[data-stop]");
    this.dismissButton = this.node.querySelector("[data-dismiss]");
    this.node.querySelector("[data-name]").textContent = name;
    this.stopButton.addEventListener("click", () => this.abort.abort());
    this.dismissButton.addEventListener("click", () => this.node.remove());
    this.retryButton.addEventListener("click", () => {
      this.begin();
      onRetry();
    });
    this.begin();
    this.say("waiting");
    list.append(this.node);
  }

  begin() {
    this.abort = new AbortController();
    this.stopped = new Promise((resolve) => {
      this.abort.signal.addEventListener("abort", resolve, { once: true });
    });
    this.stopButton.hidden = false;
    this.retryButton.hidden = true;
    this.dismissButton.hidden = true;
    this.bar.hidden = false;
  }

  end({ canRetry }) {
    this.stopButton.hidden = true;
    this.retryButton.hidden = !canRetry;
    this.dismissButton.hidden = false;
    this.bar.hidden = true;
  }

  // `kind`: "good", "warn" or "bad" where it matters.
  say(text, kind = "dim") {
    this.message.textContent = text;
    this.message.className = `small ${kind}`;
  }

  // `share` of the bytes that are there: 0 to 1.
  showProgress(share) {
    const percent = Math.floor(100 * share);
    this.bar.firstElementChild.style.width = `${percent}%`;
    this.bar.setAttribute("aria-valuenow", percent);
  }
}
