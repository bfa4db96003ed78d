import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { createKuboRpc, type KuboRpc } from './rpc.ts'

const absent = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

describe('calls to a Kubo', () => {
  let server: Server | undefined

  afterEach(async () => {
    server?.closeAllConnections()
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
    server = undefined
  })

  /** Something that answers in Kubo's place. */
  async function answering(answer: RequestListener): Promise<string> {
    server = createServer(answer)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  const failing = (status: number, body: string | object): RequestListener => {
    const [type, text] =
      typeof body === 'string' ? ['text/plain', body] : ['application/json', JSON.stringify(body)]
    return (_request, response) => response.writeHead(status, { 'content-type': type }).end(text)
  }

  const silent: RequestListener = () => {}

  /** Every call that there is. */
  const calls = (rpc: KuboRpc, signal?: AbortSignal): Promise<unknown>[] => [
    rpc.identity(signal),
    rpc.config(signal),
    rpc.put(new Uint8Array(3), signal),
    rpc.get(absent, signal),
    rpc.size(absent, signal),
    rpc.remove(absent, signal),
    rpc.pin(absent, signal),
    rpc.unpin(absent, signal),
    rpc.connections(signal),
    rpc.connect('/ip4/127.0.0.1/tcp/1', signal),
    rpc.disconnect('12D3KooWGzwofetTiZU2iyeYRHWiZBGjTmGV27FZS1sKpmTUYtkL', signal),
  ]

  test('end after their time, all of them, when nothing comes back', async () => {
    const rpc = createKuboRpc({ url: await answering(silent), timeoutMs: 100 })
    for (const outcome of await Promise.allSettled(calls(rpc))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'KuboUnavailable' } })
    }
  })

  test('end at once, all of them, with the reason of a signal', async () => {
    const rpc = createKuboRpc({ url: await answering(silent) })
    const stop = new AbortController()
    const pending = [...calls(rpc, stop.signal), rpc.fetch(absent, stop.signal)]
    stop.abort(new Error('no longer wanted'))
    for (const outcome of await Promise.allSettled(pending)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'no longer wanted' } })
    }
  })

  test('end when an answer stops in its middle', async () => {
    const url = await answering((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('half', () => response.destroy())
    })
    await expect(createKuboRpc({ url }).get(absent)).rejects.toMatchObject({ name: 'KuboUnavailable' })
    await expect(createKuboRpc({ url }).connections()).rejects.toMatchObject({ name: 'KuboUnavailable' })
  })

  test('ask nobody but Kubo itself for what it has', async () => {
    const asked: string[] = []
    const url = await answering((request, response) => {
      asked.push(request.url ?? '')
      failing(500, { Message: 'block was not found locally (offline): ipld: could not find', Code: 0 })(
        request,
        response,
      )
    })
    const rpc = createKuboRpc({ url })
    expect(await rpc.get(absent)).toBeNull()
    expect(await rpc.size(absent)).toBeNull()
    expect(await rpc.pin(absent)).toBe(false)
    expect(asked).toHaveLength(3)
    for (const call of asked) expect(call).toContain('offline=true')
  })

  test.each([
    ['no space left on device', 'StorageFull'],
    ['write /blocks/x: disk quota exceeded', 'StorageFull'],
    ['something else', 'KuboFailed'],
  ])('say of %p that it is %s', async (Message, name) => {
    const rpc = createKuboRpc({ url: await answering(failing(500, { Message, Code: 0, Type: 'error' })) })
    await expect(rpc.put(new Uint8Array(3))).rejects.toMatchObject({ name })
  })

  test.each([
    [401, 'KuboRefused'],
    [403, 'KuboRefused'],
    [502, 'KuboUnavailable'],
    [503, 'KuboUnavailable'],
  ])('say of status %d that it is %s', async (status, name) => {
    const rpc = createKuboRpc({ url: await answering(failing(status, 'no')) })
    await expect(rpc.identity()).rejects.toMatchObject({ name })
  })

  test.each([
    ['bearer:abc', 'Bearer abc'],
    ['abc', 'Bearer abc'],
    ['basicabc', 'Bearer basicabc'],
    ['basic:user:word', `Basic ${btoa('user:word')}`],
    [`basic:${btoa('user:word')}`, `Basic ${btoa('user:word')}`],
  ])('bring the secret %p as Kubo wants it, and no error shows it', async (secret, header) => {
    let seen: IncomingMessage | undefined
    const url = await answering((request, response) => {
      seen = request
      failing(403, 'go away')(request, response)
    })
    const refused = await createKuboRpc({ url, secret })
      .identity()
      .catch((error: unknown) => error)
    expect(seen?.headers.authorization).toBe(header)
    expect(JSON.stringify(refused, Object.getOwnPropertyNames(refused))).not.toContain('abc')
    expect(String(refused)).not.toContain('word')
  })
})
