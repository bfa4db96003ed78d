import { createGuardedFetch, listen } from '../../http/index.ts'
import type { RpcRequest } from '../rpc.ts'

/** What a troubled provider answers in place of the node; `undefined` passes the request on. */
export type Fault =
  | { status: number; body: string }
  /** Never answers. */
  | 'silence'
  /** Ends the connection in place of an answer. */
  | 'cut'
  /** Ends it in the middle of the node's answer. */
  | 'half'
  | undefined

export type FaultProxy = {
  readonly url: string
  /** Decides per HTTP request, by the methods it asks for. */
  fault: (methods: string[], requests: RpcRequest[]) => Fault | Promise<Fault>
  /** Lies: what the provider makes of each result of the node, or a promise of it. */
  alter: (request: RpcRequest, result: unknown) => unknown
  /** How often each method was asked. */
  readonly asked: Map<string, number>
  close(): Promise<void>
}

type Answer = { id: unknown; result?: unknown }

/** A JSON-RPC provider that stands before a real node and misbehaves when told to. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const fetch = createGuardedFetch({ allowPrivateAddresses: true, maxBytes: 64 * 1024 * 1024 })
  const server = await listen(
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        void answer(Buffer.concat(chunks).toString()).then(
          (result) => {
            if (result === 'silence') return
            if (result === 'cut') {
              response.destroy()
              return
            }
            const bytes = Buffer.from(result.body)
            const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length }
            response.writeHead(result.status, headers)
            if (result.isHalf) response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
            else response.end(bytes)
          },
          () => response.destroy(),
        )
      })
    },
    { host: '127.0.0.1', port: 0, graceMs: 0 },
  )

  async function answer(
    body: string,
  ): Promise<'silence' | 'cut' | { status: number; body: string; isHalf: boolean }> {
    const parsed: unknown = JSON.parse(body)
    const requests: (RpcRequest & { id: unknown })[] = Array.isArray(parsed) ? parsed : [parsed]
    const methods = requests.map(({ method }) => method)
    for (const method of methods) proxy.asked.set(method, (proxy.asked.get(method) ?? 0) + 1)
    const fault = await proxy.fault(methods, requests)
    if (fault === 'silence' || fault === 'cut') return fault
    if (fault !== undefined && fault !== 'half') return { ...fault, isHalf: false }
    const answered = await fetch(target, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json' },
    })
    const answers: unknown = JSON.parse(await answered.text())
    const altered = await Promise.all(
      (Array.isArray(answers) ? answers : [answers]).map(async (answer: Answer) => {
        const request = requests.find(({ id }) => id === answer.id)
        if (request === undefined || !('result' in answer)) return answer
        return { ...answer, result: await proxy.alter(request, answer.result) }
      }),
    )
    const whole = Array.isArray(answers) ? altered : altered[0]
    return { status: answered.status, body: JSON.stringify(whole), isHalf: fault === 'half' }
  }

  const proxy: FaultProxy = {
    url: server.origin,
    fault: () => undefined,
    alter: (_, result) => result,
    asked: new Map(),
    async close() {
      await server.close()
      await fetch.close()
    },
  }
  return proxy
}
