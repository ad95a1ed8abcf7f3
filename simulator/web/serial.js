/**
 * A virtual board for whatever speaks Web Serial: in a page, in Node (20 and newer), without dependencies.
 *
 *     import { VirtualSerialPort } from "./serial.js";
 *     const port = await VirtualSerialPort.connect("ws://127.0.0.1:PORT/TOKEN");
 *     await port.open({ baudRate: 115200 });
 *
 * The connection stands for the cable: while it lasts, the port is there, and may be opened and closed as often as one likes.
 * When it ends, the device is lost, with the errors and the event that Web Serial has for that. Calls, data and closing
 * reach the board in the order in which they were made. See simulator/links/web_port.py for the messages.
 */

/** Bytes on their way to the page or to the board that nobody has taken yet. */
const WINDOW = 1 << 18;

/** Bytes in one message. */
const PIECE = 1 << 14;

/** Web Serial's default, in bytes. */
const BUFFER_SIZE = 255;

const LOST = () => new DOMException("The device has been lost.", "NetworkError");
const CLOSED = () => new DOMException("The port is not open.", "InvalidStateError");

/** Has the interface of Web Serial's `SerialPort`. */
export class VirtualSerialPort extends EventTarget {
  onconnect = null;
  ondisconnect = null;
  #socket;
  #info;
  #state = "closed";
  #connected = true;
  #calls = new Map();
  #lastCall = 0;
  #bufferSize = BUFFER_SIZE;
  #readable = null;
  #controller = null;
  #arrived = new Uint8Array(0);
  #received = 0;
  #reported = 0;
  #writable = null;
  #writing = null;
  #sent = 0;
  #taken = 0;
  #waiting = new Set();

  /**
   * Connect to a board.
   * @param {string} url What `espsim serve --link websocket` prints.
   * @param {{WebSocket?: typeof WebSocket}} options Another implementation of WebSocket, where there is none built in.
   * @returns {Promise<VirtualSerialPort>}
   */
  static async connect(url, { WebSocket: Socket = globalThis.WebSocket } = {}) {
    if (!Socket) {
      throw new TypeError('There is no WebSocket here. Pass one: connect(url, { WebSocket }), for example that of the package "ws".');
    }
    const socket = new Socket(url);
    socket.binaryType = "arraybuffer";
    const info = await new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(data).hello.info);
      socket.onerror = socket.onclose = () => {
        const reason = "no board there, a wrong token, a page from elsewhere, or the board is in use";
        reject(new DOMException(`Cannot connect to ${new URL(url).origin}: ${reason}.`, "NetworkError"));
      };
    });
    return new this(socket, info);
  }

  /** For `connect`, which waits for the board's greeting first. */
  constructor(socket, info) {
    super();
    this.#socket = socket;
    this.#info = info;
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.#hear(JSON.parse(data)) : this.#receive(data));
    socket.onerror = null;
    socket.onclose = () => this.#lose();
  }

  get connected() {
    return this.#connected;
  }

  getInfo() {
    return { ...this.#info };
  }

  async open(options) {
    if (this.#state !== "closed") throw new DOMException("The port is already open.", "InvalidStateError");
    const { baudRate, bufferSize } = checked(options);
    if (!this.#connected) throw new DOMException("Failed to open serial port.", "NetworkError");
    this.#state = "opening";
    this.#bufferSize = bufferSize;
    this.#arrived = new Uint8Array(0);
    this.#received = this.#reported = this.#sent = this.#taken = 0;
    try {
      await this.#call("open", { baudRate, window: WINDOW });
      this.#state = "opened";
    } catch (error) {
      this.#state = "closed";
      throw error;
    }
  }

  get readable() {
    if (this.#state !== "opened" || !this.#connected) return null;
    this.#readable ??= new ReadableStream(
      {
        type: "bytes",
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#feed(),
        cancel: () => {
          this.#readable = this.#controller = null;
          this.#arrived = new Uint8Array(0);
        },
      },
      { highWaterMark: this.#bufferSize },
    );
    return this.#readable;
  }

  get writable() {
    if (this.#state !== "opened" || !this.#connected) return null;
    this.#writable ??= new WritableStream(
      {
        start: (controller) => {
          this.#writing = controller;
          controller.signal.addEventListener("abort", () => this.#stopWaiting(controller.signal.reason));
        },
        write: (chunk) => this.#write(chunk),
        close: async () => {
          await this.#until(0);
          this.#writable = null;
        },
        abort: () => {
          this.#writable = null;
        },
      },
      { highWaterMark: this.#bufferSize, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    return this.#writable;
  }

  async setSignals(signals = {}) {
    if (this.#state !== "opened") throw CLOSED();
    const given = Object.entries({
      dataTerminalReady: signals.dataTerminalReady,
      requestToSend: signals.requestToSend,
      break: signals.break,
    }).filter(([, value]) => value !== undefined);
    if (given.length === 0) throw new TypeError("Signals dictionary must contain at least one member.");
    await this.#call("setSignals", Object.fromEntries(given.map(([name, value]) => [name, Boolean(value)])));
  }

  async getSignals() {
    if (this.#state !== "opened") throw CLOSED();
    return this.#call("getSignals", {});
  }

  async close() {
    if (this.#state !== "opened") throw new DOMException("The port is already closed.", "InvalidStateError");
    const [readable, writable] = [this.#readable, this.#writable];
    if (readable?.locked) throw new TypeError("Cannot cancel a locked stream");
    if (writable?.locked) throw new TypeError("Cannot abort a locked stream");
    this.#state = "closing";
    await Promise.all([readable?.cancel(), writable?.abort()]);
    this.#readable = this.#controller = this.#writable = null;
    if (this.#connected) await this.#call("close", {}).catch(() => {});
    this.#state = "closed";
  }

  /** Pull the plug. */
  async forget() {
    this.#socket.close();
    this.#lose();
  }

  #call(name, argument) {
    if (!this.#connected) return Promise.reject(LOST());
    const id = ++this.#lastCall;
    this.#socket.send(JSON.stringify({ id, [name]: argument }));
    return new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
  }

  #hear({ id, ok, error, took }) {
    if (took !== undefined) {
      this.#taken = took;
      for (const waiter of this.#waiting) this.#check(waiter);
      return;
    }
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(error.name === "TypeError" ? new TypeError(error.message) : new DOMException(error.message, error.name));
    else call?.resolve(ok);
  }

  #receive(data) {
    // Before the answer to `open` there is none, and what comes while the port is being closed is for nobody.
    if (this.#state !== "opened" && this.#state !== "opening") return;
    this.#received += data.byteLength;
    const joined = new Uint8Array(this.#arrived.length + data.byteLength);
    joined.set(this.#arrived);
    joined.set(new Uint8Array(data), this.#arrived.length);
    this.#arrived = joined;
    this.#feed();
  }

  /** Give the stream what it asks for, in chunks as large as its buffer; tell the board in large steps what was used up. */
  #feed() {
    while (this.#arrived.length && this.#controller?.desiredSize > 0) {
      const chunk = this.#arrived.slice(0, this.#bufferSize);
      this.#arrived = this.#arrived.subarray(chunk.length);
      this.#controller.enqueue(chunk);
    }
    const used = this.#received - this.#arrived.length;
    if (this.#state !== "opened" || used - this.#reported < WINDOW / 4) return;
    this.#reported = used;
    this.#socket.send(JSON.stringify({ got: used }));
  }

  async #write(chunk) {
    if (!ArrayBuffer.isView(chunk) && !(chunk instanceof ArrayBuffer)) throw new TypeError("A chunk is a buffer of bytes.");
    const view = ArrayBuffer.isView(chunk);
    const bytes = view ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(chunk);
    for (let start = 0; start < bytes.length; start += PIECE) {
      await this.#until(WINDOW - PIECE);
      const piece = bytes.slice(start, start + PIECE);
      this.#sent += piece.length;
      this.#socket.send(piece);
    }
    await this.#until(this.#bufferSize);
  }

  /** Wait until at most `limit` bytes are on their way to the board. */
  #until(limit) {
    if (!this.#connected) return Promise.reject(LOST());
    return new Promise((resolve, reject) => {
      const waiter = { limit, resolve, reject };
      this.#waiting.add(waiter);
      this.#check(waiter);
    });
  }

  #check(waiter) {
    if (this.#sent - this.#taken > waiter.limit) return;
    this.#waiting.delete(waiter);
    waiter.resolve();
  }

  #stopWaiting(reason) {
    for (const waiter of this.#waiting) waiter.reject(reason);
    this.#waiting.clear();
  }

  #lose() {
    if (!this.#connected) return;
    this.#connected = false;
    for (const { reject } of this.#calls.values()) reject(LOST());
    this.#calls.clear();
    this.#stopWaiting(LOST());
    if (this.#readable) this.#controller.error(LOST());
    if (this.#writable) this.#writing.error(LOST());
    this.#readable = this.#controller = this.#writable = null;
    const event = new Event("disconnect", { bubbles: true });
    this.ondisconnect?.(event);
    this.dispatchEvent(event);
  }
}

/**
 * Has the interface of Web Serial's `Serial`, so that a whole web flasher can be put in front of virtual boards:
 *
 *     Object.defineProperty(navigator, "serial", { value: new VirtualSerial([port]) });
 */
export class VirtualSerial extends EventTarget {
  #ports;

  /** @param {VirtualSerialPort[]} ports What the user could choose from; the choice falls on the first that fits. */
  constructor(ports) {
    super();
    this.#ports = ports;
  }

  async getPorts() {
    return this.#ports.filter((port) => port.connected);
  }

  async requestPort({ filters = [] } = {}) {
    const fits = (info) =>
      filters.length === 0 ||
      filters.some(
        ({ usbVendorId, usbProductId }) =>
          info.usbVendorId === usbVendorId && (usbProductId === undefined || info.usbProductId === usbProductId),
      );
    const found = (await this.getPorts()).find((port) => fits(port.getInfo()));
    if (!found) throw new DOMException("No port selected by the user.", "NotFoundError");
    return found;
  }
}

/** Return the options for `open` with their defaults, as Web Serial checks them. */
function checked({ baudRate, dataBits = 8, stopBits = 1, parity = "none", bufferSize = BUFFER_SIZE, flowControl = "none" } = {}) {
  const demand = (holds, text) => {
    if (!holds) throw new TypeError(text);
  };
  demand(Number.isInteger(baudRate) && baudRate > 0, "baudRate must be a whole number greater than 0.");
  demand(dataBits === 7 || dataBits === 8, "Requested data bits must be 7 or 8.");
  demand(stopBits === 1 || stopBits === 2, "Requested stop bits must be 1 or 2.");
  demand(["none", "even", "odd"].includes(parity), "parity must be none, even or odd.");
  demand(["none", "hardware"].includes(flowControl), "flowControl must be none or hardware.");
  demand(Number.isInteger(bufferSize) && bufferSize > 0, "bufferSize must be a whole number greater than 0.");
  return { baudRate, bufferSize };
}
