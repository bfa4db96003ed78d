import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

let network: Network
let user: Cli
beforeAll(async () => {
  network = await startNetwork(await exampleTrack())
  user = await newUser(network.env)
})
afterAll(async () => {
  await user.remove()
  await network.close()
})

describe('hexachord bridge', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('plays to any player until %s, and ends well', async (signal) => {
    const bridge = user.start('bridge', 'Six notes', '--json')
    const heard = await bridge.said(/"tracks":.*\n/)
    const { origin, url, tracks } = JSON.parse(/^\{.*"tracks".*$/m.exec(heard)?.[0] ?? '')
    expect(url).toMatch(new RegExp(`^${origin}/[0-9a-f]{32}/<track>/master\\.m3u8$`))
    expect(tracks).toEqual([
      { track: subject, title: 'Six notes', artist: 'Guido', url: url.replace('<track>', subject) },
    ])
    const answer = await fetch(tracks[0].url)
    expect([answer.status, lintPlaylist(await answer.text())]).toEqual([200, []])
    const ended = await bridge.stop(signal)
    expect(ended).toEqual({
      ...{ code: 0, stdout: expect.stringMatching(/^\{.*\}\n$/) },
      stderr: "hexachord: there is no key ('hexachord key new'): only free tracks play\n",
    })
    await expect(fetch(tracks[0].url)).rejects.toThrow()
  })

  test.each([
    [2, "--port: 'loud' is no number from 1 to 65535", () => ['--port', 'loud']],
    [2, 'is taken on this machine', () => ['--port', String(network.discovery.port)]],
    [3, 'no such track', () => [`${subject}1`]],
  ])('ends with %i where it cannot: %s', async (code, message, args) => {
    const told = await user('bridge', ...args())
    expect(told).toMatchObject({ code, stdout: '' })
    expect(told.stderr.trim().split('\n').at(-1)).toContain(message)
  })
})
