import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** So that it touches nothing beyond the pages of the test, and plays sound without a hand on a mouse. */
const flags = [
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
]

/** Starts Debian's Chromium, or the one that CHROMIUM_PATH names, without a window.
 * @throws an error with the one line to type when there is none */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM_PATH || '/usr/bin/chromium'
  try {
    accessSync(executablePath, constants.X_OK)
  } catch (cause) {
    throw new Error(`there is no Chromium at ${executablePath}: sudo apt-get install chromium`, { cause })
  }
  // Its sound library would leave a folder behind on a machine where it never ran.
  const soundFolder = mkdtempSync(join(tmpdir(), 'chromium-sound-'))
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: flags,
    env: { ...process.env, PULSE_RUNTIME_PATH: soundFolder },
    // Chromium does not start its sandbox for root.
    chromiumSandbox: process.getuid?.() !== 0,
  })
  browser.on('disconnected', () => rmSync(soundFolder, { recursive: true, force: true }))
  return browser
}
