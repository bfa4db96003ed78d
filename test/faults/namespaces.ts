import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { Host } from '@hexachord/scripts/local-network'

const run = promisify(execFile)

/** A host of its own on this machine: a network namespace, joined to all others by a cable that can be pulled. */
export type NamespaceHost = Host & {
  /** Pulls the cable: nobody hears of this host any more, and it of nobody. */
  cut(): Promise<void>
  heal(): Promise<void>
  /** Loses every packet to and from one server, and no other. */
  cutFrom(origin: string): Promise<void>
  /** Loses so many of a hundred packets, in each direction. */
  lose(percent: number): Promise<void>
}

export type Namespaces = {
  /** Where those without a namespace are reached: this machine's own end of all cables. */
  readonly outside: Host
  host(name: string): NamespaceHost
  close(): Promise<void>
}

const prefix = 'hxn'

/** Whether namespaces can be made here: that takes root, `ip` and `nft`. */
export function canMakeNamespaces(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  const probe = `${prefix}${process.pid}probe`
  const made = spawnSync('ip', ['netns', 'add', probe]).status === 0
  if (made) spawnSync('ip', ['netns', 'del', probe])
  return made && spawnSync('nft', ['--version']).status === 0
}

/**
 * Makes a namespace for each name and a bridge that joins them. Names carry our pid: what a run that was killed has left
 * is removed first.
 */
export async function makeNamespaces(names: readonly string[]): Promise<Namespaces> {
  await removeLeftovers()
  const own = `${prefix}${process.pid}`
  // Two runs on one machine must not be in one network.
  const network = `10.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}`
  const outside = `${network}.254`
  const spaces = names.map((_, index) => `${own}-${index + 1}`)

  async function close(): Promise<void> {
    for (const space of spaces) await ip(['netns', 'del', space])
    await ip(['link', 'del', own])
  }

  async function connect(space: string, index: number): Promise<NamespaceHost> {
    const address = `${network}.${index + 1}`
    const cable = `${own}v${index + 1}`
    await ip(['netns', 'add', space])
    await ip(['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space])
    await ip(['link', 'set', cable, 'master', own, 'up'])
    await ip(['-n', space, 'addr', 'add', `${address}/24`, 'dev', 'eth0'])
    for (const device of ['lo', 'eth0']) await ip(['-n', space, 'link', 'set', device, 'up'])
    await filter('add table inet faults')
    for (const hook of ['input', 'output'])
      await filter(`add chain inet faults ${hook} { type filter hook ${hook} priority 0; }`)

    function filter(command: string) {
      return run('ip', ['netns', 'exec', space, 'nft', command])
    }

    return {
      address,
      within: (command, args) => ({ command: 'ip', args: ['netns', 'exec', space, command, ...args] }),
      cut: () => ip(['link', 'set', cable, 'down']),
      async heal() {
        await ip(['link', 'set', cable, 'up'])
        for (const hook of ['input', 'output']) await filter(`flush chain inet faults ${hook}`)
      },
      async cutFrom(origin) {
        const { hostname, port } = new URL(origin)
        await filter(`add rule inet faults input ip saddr ${hostname} tcp sport ${port} drop`)
        await filter(`add rule inet faults output ip daddr ${hostname} tcp dport ${port} drop`)
      },
      async lose(percent) {
        for (const [hook, device] of [
          ['input', 'iifname'],
          ['output', 'oifname'],
        ])
          await filter(
            `add rule inet faults ${hook} ${device} "eth0" numgen random mod 100 < ${percent} drop`,
          )
      },
    }
  }

  try {
    await ip(['link', 'add', own, 'type', 'bridge'])
    await ip(['addr', 'add', `${outside}/24`, 'dev', own])
    await ip(['link', 'set', own, 'up'])
    const hosts = new Map<string, NamespaceHost>()
    for (const [index, name] of names.entries()) hosts.set(name, await connect(spaces[index] ?? '', index))
    return {
      outside: { address: outside, within: (command, args) => ({ command, args }) },
      host(name) {
        const host = hosts.get(name)
        if (host === undefined) throw new Error(`there is no namespace for ${name}`)
        return host
      },
      close,
    }
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
}

async function ip(args: readonly string[]): Promise<void> {
  await run('ip', [...args])
}

async function removeLeftovers(): Promise<void> {
  const { stdout: spaces } = await run('ip', ['netns', 'list'])
  for (const [name = '', pid] of spaces.matchAll(new RegExp(`^${prefix}(\\d+)-\\d+`, 'gm')))
    if (!isAlive(Number(pid))) await ip(['netns', 'del', name])
  const { stdout: bridges } = await run('ip', ['-o', 'link', 'show', 'type', 'bridge'])
  for (const [, name = '', pid] of bridges.matchAll(new RegExp(`: (${prefix}(\\d+)):`, 'g')))
    if (!isAlive(Number(pid))) await ip(['link', 'del', name])
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
