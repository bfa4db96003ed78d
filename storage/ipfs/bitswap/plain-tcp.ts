import type { Multiaddr } from '@multiformats/multiaddr'

/** `/ip4/…/tcp/…/p2p/…` and the like. What would need a relay, or a lookup of further addresses, is not dialled. */
export function isPlainTcp(address: Multiaddr): boolean {
  const [host, port, ...rest] = address.getComponents().map(({ name }) => name)
  return (
    ['ip4', 'ip6', 'dns4', 'dns6'].includes(host ?? '') &&
    port === 'tcp' &&
    (rest.length === 0 || (rest.length === 1 && rest[0] === 'p2p'))
  )
}
