import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** Every port of a local network. */
export type Ports = {
  creator: number
  discovery: number
  chain: number
  postgres: number
  redis: number
  content: number[]
  creatorLibp2p: number
  contentLibp2p: number[]
}

/** Metrics are served on loopback at this distance from the port of a service. */
export const metricsOffset = 1000

/** Where other networks of this machine are looked for next: the whole block moves by this much. */
const stride = 100
/** Above this the operating system hands out ports to outgoing connections on most systems. */
const highestPort = 31_000

/** A port that something else listens on. */
export class PortTakenError extends Error {
  override name = 'PortTakenError'

  constructor(port: number, wantedBy: string) {
    super(
      `Port ${port}, which ${wantedBy} wants, is taken by another program. Stop that program or choose another port.`,
    )
  }
}

/** The documented ports of a network, moved by `base - 4600`. */
export function preferredPorts(contentServices: number, base = 4600): Ports {
  const content = Array.from({ length: contentServices }, (_, index) => index)
  return {
    creator: base,
    discovery: base + 10,
    content: content.map((index) => base + 20 + index),
    chain: base + 40,
    postgres: base + 50,
    redis: base + 60,
    creatorLibp2p: base + 70,
    contentLibp2p: content.map((index) => base + 71 + index),
  }
}

/**
 * The ports for the network in `directory`: those that it had last time, else the preferred ones; each one
 * that is taken gives way to the next free one, a block of 100 further on. Remembered in `ports.json`.
 */
export async function choosePorts(options: {
  directory: string
  contentServices: number
  /** @default the documented ports */
  preferred?: Ports
  /** How long to wait for the ports of last time when they are taken. @default 0 */
  patienceMs?: number
}): Promise<Ports> {
  const { directory, contentServices, preferred = preferredPorts(contentServices) } = options
  const file = path.join(directory, 'ports.json')
  const last = fitting(await remembered(file), contentServices)
  const wanted = last ?? preferred
  if (last !== undefined) await waitUntilFree(Object.values(last).flat(), options.patienceMs ?? 0)
  const choose = portChooser([])
  const ports: Ports = {
    creator: await choose(wanted.creator, true),
    discovery: await choose(wanted.discovery, true),
    content: await inTurn(wanted.content, (port) => choose(port, true)),
    chain: await choose(wanted.chain, false),
    postgres: await choose(wanted.postgres, false),
    redis: await choose(wanted.redis, false),
    creatorLibp2p: await choose(wanted.creatorLibp2p, false),
    contentLibp2p: await inTurn(wanted.contentLibp2p, (port) => choose(port, false)),
  }
  await mkdir(directory, { recursive: true })
  await writeFile(`${file}.draft`, `${JSON.stringify(ports, null, 2)}\n`)
  await rename(`${file}.draft`, file)
  return ports
}

/** Ports for one more node, beside those that are in use. @param others in use besides */
export async function chooseNodePorts(
  used: Ports,
  others: readonly number[] = [],
): Promise<{ http: number; libp2p: number }> {
  const choose = portChooser([...Object.values(used).flat(), ...others])
  return {
    http: await choose(Math.max(used.creator, ...used.content) + 1, true),
    libp2p: await choose(Math.max(used.creatorLibp2p, ...used.contentLibp2p) + 1, false),
  }
}

/** Finds free ports, and gives none away twice. */
function portChooser(used: readonly number[]) {
  const chosen = new Set(used)
  return async (port: number, hasMetrics: boolean): Promise<number> => {
    for (let candidate = port; candidate <= highestPort; candidate += stride) {
      const needed = hasMetrics ? [candidate, candidate + metricsOffset] : [candidate]
      if (needed.some((each) => chosen.has(each))) continue
      if (!(await areFree(needed))) continue
      for (const each of needed) chosen.add(each)
      return candidate
    }
    throw new PortTakenError(port, 'the local network')
  }
}

/** Throws PortTakenError when something listens on the port of loopback already. */
export async function requireFreePort(port: number, wantedBy: string): Promise<void> {
  if (!(await isFree(port))) throw new PortTakenError(port, wantedBy)
}

/** Ends when all are free, or when the time is over. */
async function waitUntilFree(ports: number[], patienceMs: number): Promise<void> {
  const endMs = Date.now() + patienceMs
  while (Date.now() < endMs && !(await areFree(ports))) await wait(100)
}

async function areFree(ports: number[]): Promise<boolean> {
  for (const port of ports) if (!(await isFree(port))) return false
  return true
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    })
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

async function inTurn(ports: number[], choose: (port: number) => Promise<number>): Promise<number[]> {
  const chosen: number[] = []
  for (const port of ports) chosen.push(await choose(port))
  return chosen
}

async function remembered(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    // Ports are only a preference: without a readable file the documented ones are tried.
    if (error instanceof SyntaxError) return undefined
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** What was remembered, if it is of the form that is wanted now. */
function fitting(value: unknown, contentServices: number): Ports | undefined {
  const shape = preferredPorts(contentServices)
  if (typeof value !== 'object' || value === null) return undefined
  const stored = new Map<string, unknown>(Object.entries(value))
  const fits = Object.entries(shape).every(([name, port]) => {
    const own = stored.get(name)
    return Array.isArray(port)
      ? Array.isArray(own) && own.length === port.length && own.every(isPort)
      : isPort(own)
  })
  return fits ? (value as Ports) : undefined
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535 - metricsOffset
}
