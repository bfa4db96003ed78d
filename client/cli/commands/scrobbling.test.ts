import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { answerJson, answerProblem, type HttpServer, readBody, serve, subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

type Submission = { listen_type: string; payload: { listened_at: number; track_metadata: object }[] }

let network: Network
let user: Cli
/** Of the listener's choice. */
let server: HttpServer
let told: { authorization: string | undefined; body: Submission }[] = []
let status: number

beforeAll(async () => {
  server = await serve(async (request, response) => {
    const body = JSON.parse(await readBody(request))
    if (status !== 200) return answerProblem(response, status, 'not now')
    if (request.url !== '/apis/listens/1/submit-listens') return answerProblem(response, 404, 'nothing there')
    told.push({ authorization: request.headers.authorization, body })
    return answerJson(response, { status: 'ok' })
  })
  network = await startNetwork(await exampleTrack())
  user = await newUser({ ...network.env, HEXACHORD_SCROBBLE_TO: `${server.origin}/apis/listens/` })
  // The token stands in the file of settings, and the speaker hears it all.
  const tokenFile = join(user.home, 'token')
  await user.giveKey()
  await writeFile(tokenFile, 'secret\n')
  const config = JSON.stringify({ scrobbleTokenFile: tokenFile })
  await writeFile(join(user.home, 'hexachord', 'config.json'), config)
  await writeFile(join(user.bin, 'ffplay'), '#!/bin/sh\nexec cat > /dev/null\n', { mode: 0o755 })
})
afterAll(async () => {
  await user.remove()
  await network.close()
  await server.close()
})

const kept = async () => (await readdir(join(user.home, 'hexachord', 'listens'))).length

describe('a play', () => {
  test('is kept while the server does not take it, and told of with the next one', async () => {
    const before = Math.floor(Date.now() / 1000)
    status = 401
    const first = await user('play', subject, '--json')
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/kept for the next time: not now\n$/),
    })
    expect(JSON.parse(first.stdout)).toMatchObject({ scrobbled: { sent: 0, kept: 1 } })
    expect(await kept()).toBe(1)

    status = 200
    const second = await user('play', subject, '--json')
    expect(JSON.parse(second.stdout)).toMatchObject({ scrobbled: { sent: 2, kept: 0 } })
    expect(await kept()).toBe(0)
    const listen = {
      listened_at: expect.any(Number),
      track_metadata: {
        ...{ artist_name: 'Guido', track_name: 'Six notes' },
        additional_info: expect.objectContaining({
          origin_url: `${network.discovery.origin}/tracks/${subject}`,
          submission_client: 'hexachord',
        }),
      },
    }
    expect(told).toEqual([
      { authorization: 'Token secret', body: { listen_type: 'import', payload: [listen, listen] } },
    ])
    for (const { listened_at: at } of told[0]?.body.payload ?? []) {
      expect(at).toBeGreaterThanOrEqual(before)
      expect(at).toBeLessThanOrEqual(Date.now() / 1000)
    }
  })

  test('is let go of when the server will never take it, and is told to nobody who is not to know', async () => {
    told = []
    status = 400
    expect(JSON.parse((await user('play', subject, '--json')).stdout)).toMatchObject({
      scrobbled: { sent: 0 },
    })
    expect(await kept()).toBe(0)
    status = 200
    const silent = await user('play', subject, '--no-scrobble', '--json')
    expect(JSON.parse(silent.stdout)).not.toHaveProperty('scrobbled')
    expect(told).toEqual([])
  })
})
