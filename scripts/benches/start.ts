import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Subject } from '@hexachord/protocol/names'
import { connect } from '@hexachord/sdk/connect'
import type { Browser, Page } from 'playwright-core'
import { bundleScript, launchChromium, pageOfScript } from '../browser/index.ts'
import { makeSampleTrack } from '../sample-music/index.ts'
import { chromium, ffmpeg, ffprobe, nginx, redisServer } from '../setup/index.ts'
import { startTestNetwork } from '../testing/start-test-network.ts'
import { alternate, median, ratiosOf, rounded } from './alternate.ts'
import type { Bench } from './bench.ts'
import { startNginx } from './gateway/nginx.ts'
import { publishFile, writeTrackFiles } from './start/publish.ts'

/** Each takes a tenth of a second, and a browser's times spread wide. */
const leastRounds = 15

/**
 * A whole local network, and the same track as plain files at nginx. Page and profile are fresh for each click; either
 * side has spoken to its server before, as an app has when there is something to click on.
 */
export const start: Bench = {
  name: 'start',
  summary: 'click to playing in Chromium: found, opened and checked by the SDK, over tuned hls.js at nginx',
  limit: { atMost: 1.5 },
  programs: [chromium, nginx, ffmpeg, ffprobe, redisServer],
  async run({ rounds, small, folder, signal, report }) {
    const closing: (() => Promise<void>)[] = []
    try {
      const network = await startTestNetwork({ signal })
      closing.push(network.remove)
      const { discovery, creator } = network.urls
      const connection = await connect({ discovery: [discovery], creators: [creator], signal })
      const file = await makeSampleTrack({ directory: folder, form: 'short', signal })
      const track = await publishFile(connection, file, signal)
      const root = await makeSite(folder)
      await writeTrackFiles(connection, track, path.join(root, 'track'), signal)
      const site = await startNginx({ root, folder: path.join(folder, 'nginx'), probe: '/app.js', signal })
      closing.push(site.close)
      const browser = await launchChromium()
      closing.push(() => browser.close())

      const click = (how: (page: Page) => Promise<number>) => onFreshPage(browser, site.origin, how)
      const pairs = await alternate({
        ...{ rounds: small ? rounds : Math.max(rounds, leastRounds), signal },
        ours: () => click((page) => playTrack(page, { discovery, creator, track: track.id })),
        theirs: () =>
          click((page) => page.evaluate((url) => window.bench.playUrl(url), '/track/master.m3u8')),
        onPair: ({ ours, theirs }, round) =>
          report(`${round}: ${rounded(ours)} ms, ${rounded(theirs)} ms at nginx`),
      })
      const { median: ratio, least, most } = ratiosOf(pairs, (ms) => ms)
      return {
        ...{ ratio, ratioLeast: least, ratioMost: most, clicks: pairs.length },
        playingMs: rounded(median(pairs.map(({ ours }) => ours))),
        nginxPlayingMs: rounded(median(pairs.map(({ theirs }) => theirs))),
      }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  },
}

/** A folder that nginx, too, may read. */
async function makeSite(folder: string): Promise<string> {
  await chmod(folder, 0o755)
  const root = path.join(folder, 'site')
  await mkdir(root)
  const entry = fileURLToPath(new URL('start/page.ts', import.meta.url))
  await writeFile(path.join(root, 'app.js'), await bundleScript(entry))
  await writeFile(path.join(root, 'index.html'), pageOfScript)
  return root
}

async function onFreshPage(
  browser: Browser,
  origin: string,
  how: (page: Page) => Promise<number>,
): Promise<number> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await page.goto(`${origin}/index.html`)
    await page.waitForFunction('window.bench !== undefined')
    return await how(page)
  } finally {
    await context.close()
  }
}

async function playTrack(
  page: Page,
  { discovery, creator, track }: { discovery: string; creator: string; track: Subject },
): Promise<number> {
  const connection = await page.evaluateHandle(([provider, node]) => window.bench.connect(provider, node), [
    discovery,
    creator,
  ] as const)
  return page.evaluate(([met, id]) => window.bench.playTrack(met, id), [connection, track] as const)
}
