import path from 'node:path'

/** Where the parts of a local network lie in its directory. */
export type Layout = ReturnType<typeof layOut>

export function layOut(directory: string) {
  const inside = (...names: string[]) => path.join(path.resolve(directory), ...names)
  return {
    directory: inside(),
    /** The addresses of the contracts and the rules of the network; every process is given this path. */
    networkFile: inside('network.json'),
    logDirectory: inside('logs'),
    log: (name: string) => inside('logs', `${name}.log`),
    environmentFile: (service: string) => inside('config', `${service}.env`),
    dataDirectory: (process: string) => inside('data', process),
    keyFile: (owner: string, key: 'cold' | 'hot' | 'relayer') => inside('keys', `${owner}.${key}.key`),
    /** What is gone after a reset; the rest (Node, caches) belongs to the checkout. */
    stateful: ['network.json', 'ports.json', 'config', 'data', 'keys', 'logs'].map((name) => inside(name)),
  }
}
