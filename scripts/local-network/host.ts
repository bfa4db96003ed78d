/** Where a process of a local network runs, as the others see it. */
export type Host = {
  /** IPv4 address on which it listens and by which the others reach it. */
  readonly address: string
  /** The command line that runs a program there. */
  within(command: string, args: string[]): { command: string; args: string[] }
}

/** Loopback of this machine. */
export const thisMachine: Host = {
  address: '127.0.0.1',
  within: (command, args) => ({ command, args }),
}

/** The host of each process of a network, by the name of the process. */
export type HostOf = (name: string) => Host

/** The origin by which the services of a local network reach a port of a host. */
export function originOf(port: number, { address }: Host = thisMachine): string {
  return `http://${address}:${port}`
}
