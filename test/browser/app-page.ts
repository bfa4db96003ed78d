import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { launchChromium } from './chromium.ts'
import type { Heard, PlayerSettings, Publication, Published, SdkPlayback } from './page/messages.ts'

export type AppPage = {
  /** URLs that the page has asked for, without those of the page itself. */
  readonly requests: readonly string[]
  /** Plays a track through SDK and hls.js. */
  playTrack(settings: SdkPlayback): Promise<Heard>
  /** Plays a master playlist by hls.js alone. */
  playUrl(url: string, settings: PlayerSettings): Promise<Heard>
  /** Publishes a file through the SDK, by a new key. */
  publishFile(publication: Publication): Promise<Published>
  close(): Promise<void>
}

export type App = {
  /** A fresh page in a profile of its own: nothing is cached. @param onSecond told of each second that was heard */
  open(onSecond?: (second: number) => unknown): Promise<AppPage>
  close(): Promise<void>
}

/** Serves the page from loopback, which browsers take for a safe origin, and starts Chromium. */
export async function startApp(): Promise<App> {
  const script = await bundle()
  const server = createServer((request, response) => {
    if (request.url === '/app.js') response.setHeader('content-type', 'text/javascript').end(script)
    else response.setHeader('content-type', 'text/html').end('<!doctype html><script src="app.js"></script>')
  })
  const listening = Promise.withResolvers<void>()
  server.once('error', listening.reject).listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
  let browser: Browser
  try {
    browser = await launchChromium()
  } catch (error) {
    await close()
    throw error
  }
  return {
    open: (onSecond) => openPage(browser, origin, onSecond),
    async close() {
      await browser.close()
      await close()
    },
  }
}

async function bundle(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page/app.ts', import.meta.url))],
    bundle: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error('esbuild wrote no file')
  return file.contents
}

async function openPage(
  browser: Browser,
  origin: string,
  onSecond: ((second: number) => unknown) | undefined,
): Promise<AppPage> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const requests: string[] = []
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && /^https?:/.test(url)) requests.push(url)
  })
  if (onSecond) await page.exposeFunction('heardSecond', onSecond)
  await page.goto(origin)
  await page.waitForFunction('window.app !== undefined')
  return {
    requests,
    playTrack: (settings) => page.evaluate((given) => window.app.playTrack(given), settings),
    playUrl: (url, settings) => playUrl(page, url, settings),
    publishFile: (given) => page.evaluate((publication) => window.app.publishFile(publication), given),
    close: () => context.close(),
  }
}

function playUrl(page: Page, url: string, settings: PlayerSettings): Promise<Heard> {
  return page.evaluate(([link, given]) => window.app.playUrl(link, given), [url, settings] as const)
}
