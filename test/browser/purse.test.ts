import { fileURLToPath } from 'node:url'
import { launchChromium, type ServedPage, servePage } from '@hexachord/scripts/browser'
import { listener, paymentsNetwork, subject } from '@hexachord/sdk/fixtures'
import { createKey } from '@hexachord/sdk/keys'
import {
  startTill,
  testEndpoint,
  testNetwork,
  testNode,
  testPrice,
  testSubject,
} from '@hexachord/storage/till/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Paying, Sold } from './page/purse.ts'

jest.setTimeout(120_000)

let served: ServedPage
let browser: Browser
let profile: BrowserContext

beforeAll(async () => {
  served = await servePage(fileURLToPath(new URL('page/purse.ts', import.meta.url)))
  browser = await launchChromium()
  profile = await browser.newContext()
})
afterAll(async () => {
  await browser?.close()
  await served?.close()
})

const paying: Paying = {
  privateKey: listener.privateKey,
  network: paymentsNetwork,
  track: subject,
  node: `0x${'ab'.repeat(20)}`,
}

async function openTab(): Promise<Page> {
  const tab = await profile.newPage()
  await tab.goto(served.origin)
  await tab.waitForFunction('window.purse !== undefined')
  return tab
}

const pay = (tab: Page, units: readonly number[]) =>
  tab.evaluate(([given, list]) => window.purse.pay(given, list), [paying, units] as const)
const unitsIn = (tab: Page) => tab.evaluate((given) => window.purse.units(given), paying)

describe('a purse in Chromium', () => {
  test('that two tabs pay from keeps every receipt, and passes its budget in neither', async () => {
    const [one, two] = [await openTab(), await openTab()]
    await one.evaluate(([given, most]) => window.purse.limit(given, most), [paying, '150'] as const)
    const numbers = (first: number) => Array.from({ length: 100 }, (_, at) => first + at)
    const [first, second] = await Promise.all([pay(one, numbers(0)), pay(two, numbers(1_000))])
    expect(first.paid + second.paid).toBe(150)
    const kept = await unitsIn(one)
    expect(new Set(kept).size).toBe(150)
    expect(await unitsIn(await openTab())).toEqual(kept)
    expect(await pay(two, [5_000])).toMatchObject({ paid: 0 })
  })

  test('plays a track in two tabs at once, each of which pays for itself alone', async () => {
    const hot = createKey()
    const till = await startTill({ hotKey: hot.signer, reserved: 10n ** 12n })
    try {
      const sold: Sold = {
        ...{ origin: till.origin, unitPrice: testPrice.toString() },
        cids: till.loaded.renditions[0]?.segments.map(([, , link]) => link['/']) ?? [],
        operator: {
          ...{ operator: testNode, controller: testNode, endpoint: testEndpoint, hotKey: hot.address },
          ...{ capacityBytes: '1000', stakeWei: '1000', active: true },
        },
      }
      const tabs = [await openTab(), await openTab()]
      for (let round = 0; round < 5; round += 1) {
        const { address, privateKey } = createKey()
        const heard = { privateKey, network: testNetwork, track: testSubject, node: testNode }
        await Promise.all(
          tabs.map((tab) =>
            tab.evaluate(([given, what]) => window.purse.hear(given, what), [heard, sold] as const),
          ),
        )
        const channel = till.till.book.channel(address, address)
        expect(channel?.last?.cumulative).toBe(2n * BigInt(sold.cids.length) * testPrice)
        expect(channel?.credits.size).toBe(0)
      }
    } finally {
      await till.close()
    }
  })

  test('with thousands of receipts pays as fast as an empty one', async () => {
    const tab = await openTab()
    await tab.evaluate(([given, most]) => window.purse.limit(given, most), [paying, '1000000'] as const)
    const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)
    await pay(tab, numbers(20))
    const few = await pay(tab, numbers(100))
    await tab.evaluate((given) => window.purse.fill(given, 5_000), paying)
    const many = await pay(tab, numbers(100))
    // Written whole, 5,000 receipts took many times as long.
    expect(many.msEach).toBeLessThan(few.msEach * 3)
    expect(await unitsIn(tab)).toHaveLength(5_000)
  })
})
