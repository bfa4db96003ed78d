import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { closedConfig, typeInto } from '../fixtures/closed-config.ts'
import { guardKubo, type SoundKubo } from './sound-kubo.ts'

const peerId = '12D3KooWGzwofetTiZU2iyeYRHWiZBGjTmGV27FZS1sKpmTUYtkL'

describe('the look at a Kubo before anything is asked of it', () => {
  let server: Server
  let secret: string | undefined
  let api: string
  let lines: string[]
  let asked: string[]

  beforeEach(async () => {
    secret = 'word'
    api = '/ip4/127.0.0.1/tcp/5001'
    lines = []
    asked = []
    server = createServer((request, response) => {
      const call = new URL(request.url ?? '', 'http://kubo').pathname
      asked.push(call)
      if (secret !== undefined && request.headers.authorization !== `Bearer ${secret}`) {
        response.writeHead(403).end('go away')
        return
      }
      const config = closedConfig()
      typeInto(config, `ipfs config Addresses.API ${api}`)
      const answers: Record<string, object> = {
        '/api/v0/id': { ID: peerId, Addresses: [] },
        '/api/v0/config/show': config,
        '/api/v0/swarm/peers': { Peers: [] },
      }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answers[call] ?? {}))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  function guarded(expected?: string): SoundKubo {
    const say = (_details: object, line: string) => {
      lines.push(line)
    }
    return guardKubo(
      { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, secret: 'word' },
      {
        expectedPeerId: () => expected,
        logger: { info: say, warn: say, error: say },
      },
    )
  }

  test('an RPC that the network can reach is refused unless it asks for a secret', async () => {
    api = '/ip4/0.0.0.0/tcp/5001'
    expect((await guarded().inspect()).peerId).toBe(peerId)
    secret = undefined
    await expect(guarded().inspect()).rejects.toThrow(/ipfs config Addresses\.API/)
    api = '/ip4/127.0.0.1/tcp/5001'
    expect((await guarded().inspect()).peerId).toBe(peerId)
  })

  test('another Kubo than the one that has the blocks is not called', async () => {
    const kubo = guarded('somebody-else')
    await expect(kubo.rpc.connections()).rejects.toMatchObject({ name: 'OtherKubo' })
    expect(asked).not.toContain('/api/v0/swarm/peers')
  })

  test('many calls at once are one look, and the same trouble is told once', async () => {
    const kubo = guarded()
    await Promise.all(Array.from({ length: 8 }, () => kubo.rpc.connections()))
    expect(asked.filter((call) => call === '/api/v0/config/show')).toHaveLength(1)
    secret = 'changed'
    for (const _attempt of [1, 2, 3]) {
      await expect(kubo.inspect()).rejects.toMatchObject({ name: 'KuboRefused' })
    }
    secret = 'word'
    await kubo.inspect()
    expect(lines).toEqual(['Kubo cannot be used', 'Kubo is there and sound again'])
  })
})
