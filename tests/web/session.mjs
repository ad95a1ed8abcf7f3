/**
 * One session of an unmodified esptool-js, the same in Node and in a page.
 *
 * The plan says what to do: `stub`, `compress`, `baud`, `address`, `write`, `verify`, `read` (a length), `after`; `blockSize` is what a
 * user without a stub has to set by hand.
 */
export async function session({ ESPLoader, Transport }, port, plan, image, md5) {
  const lines = [];
  const terminal = { clean() {}, write: (text) => lines.push(text), writeLine: (text) => lines.push(text) };
  const result = { lines, info: port.getInfo() };
  const transport = new Transport(port, false);
  const loader = new ESPLoader({ transport, baudrate: plan.baud, romBaudrate: 115200, terminal });
  try {
    if (plan.stub) {
      result.chip = await loader.main();
    } else {
      await loader.detectChip();
      result.chip = loader.chip.CHIP_NAME;
      await loader.flashSpiAttach(0);
      loader.FLASH_WRITE_SIZE = plan.blockSize;
    }
    if (plan.address !== undefined && plan.write !== false) {
      await loader.writeFlash({
        fileArray: [{ data: image, address: plan.address }],
        flashSize: "keep",
        flashMode: "keep",
        flashFreq: "keep",
        eraseAll: false,
        compress: plan.compress,
        calculateMD5Hash: plan.verify ? md5 : undefined,
      });
      if (plan.stub) result.md5 = await loader.flashMd5sum(plan.address, image.length);
    }
    if (plan.read) result.read = [...(await loader.readFlash(plan.address, plan.read))];
    if (plan.after) result.log = await reset(loader, transport, port, plan.after);
    result.ok = true;
  } catch (error) {
    result.error = `${error.name}: ${error.message}`;
  }
  try {
    await transport.disconnect();
  } catch (error) {
    result.disconnect = `${error.name}: ${error.message}`;
  }
  return result;
}

/** Leave download mode in one of several ways; return what the board says during the second after it. */
async function reset(loader, transport, port, way) {
  transport.flushInput();
  if (way === "pulse") {
    await transport.setDTR(false);
    await transport.setRTS(true);
  }
  await loader.after("hard_reset");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return String.fromCharCode(...transport.peek());
}
