import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { post, reportIn, startTill, type TillServer, testListener } from '../fixtures/index.ts'

const mostSessions = 5

let server: TillServer
beforeAll(async () => {
  server = await startTill({ reserved: 10_000n, limits: { sessionsOfChannel: mostSessions } })
})
afterAll(() => server.close())

const open = async (opening: unknown) => reportIn(await post(server.origin, '/pay/sessions', opening))

test('a session is given to the key that opened it, and to no other that signs the same', async () => {
  const [payer, stranger] = [testListener(), testListener()]
  const same = { payer: payer.address, expiresAt: Date.now() + 30_000 }
  const own = await open(await payer.opening(same))
  const another = await open(await stranger.opening(same))
  expect(another.session).not.toBe(own.session)
  expect([own.channel.key, another.channel.key]).toEqual([payer.address, stranger.address])
  expect(await open(await payer.opening(same))).toEqual(own)
  expect(await open(await stranger.opening(same))).toEqual(another)
})

test('a session stays open however many others are opened in its payer’s name by another key', async () => {
  const [payer, stranger] = [testListener(), testListener()]
  const { session } = await open(await payer.opening())
  const others = []
  for (let count = 0; count <= mostSessions; count++) {
    const opening = { payer: payer.address, expiresAt: Date.now() + 20_000 + count }
    others.push(await open(await stranger.opening(opening)))
  }
  const status = async (token = '') => (await server.get(`/pay/sessions/${token}`)).status
  expect(await status(session)).toBe(200)
  // Of its own the oldest makes room.
  expect([await status(others[0]?.session), await status(others[1]?.session)]).toEqual([404, 200])
})
