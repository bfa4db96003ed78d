import { premiumTrack, servePremium } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type App, type AppPage, startApp } from './app-page.ts'
import { expectSound } from './expect-sound.ts'

jest.setTimeout(60_000)

let app: App
let page: AppPage | undefined

beforeAll(async () => {
  app = await startApp()
})
afterAll(() => app?.close())

describe('hls.js in Chromium', () => {
  test.each([
    { of: 'which is encrypted from its first byte', clearSegments: 0, untilSecond: 2 },
    { of: 'which a preview is in the clear', clearSegments: 1, untilSecond: 8 },
  ])('plays a premium track of $of', async ({ clearSegments, untilSecond }) => {
    const server = await servePremium(await premiumTrack({ seconds: 12, clearSegments }))
    page = await app.open()
    try {
      const heard = await page.playUrl(`${server.origin}/master.m3u8`, { untilSecond })
      expectSound(heard)
      expect(heard.seconds).toBeGreaterThanOrEqual(untilSecond)
      expect(page.requests.some((url) => url.includes('/keys/'))).toBe(true)
    } finally {
      await page.close()
      await server.close()
    }
  })
})
