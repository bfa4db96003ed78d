import { fileURLToPath } from 'node:url'
import { launchChromium, servePage } from '@hexachord/scripts/browser'
import type { Browser, Page } from 'playwright-core'
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

/** Serves the page and starts Chromium. */
export async function startApp(): Promise<App> {
  const served = await servePage(fileURLToPath(new URL('page/app.ts', import.meta.url)))
  let browser: Browser
  try {
    browser = await launchChromium()
  } catch (error) {
    await served.close()
    throw error
  }
  return {
    open: (onSecond) => openPage(browser, served.origin, onSecond),
    async close() {
      await browser.close()
      await served.close()
    },
  }
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
