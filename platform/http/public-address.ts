import { type LookupAddress, type LookupAllOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'
import { buildConnector } from 'undici'
import { FetchBlocked } from './fetch-errors.ts'

/**
 * Whether an IP address belongs to the public internet: not loopback, private, link-local, CGNAT, multicast,
 * documentation or reserved; an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as itself.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.kind() === 'ipv4') return parsed.range() === 'unicast'
  const inner = innerIpv4(parsed.toByteArray(), parsed.range())
  return inner === null ? parsed.range() === 'unicast' : inner.range() === 'unicast'
}

/** The IPv4 address that traffic to this IPv6 address ends at, where a gateway would unwrap it. */
function innerIpv4(bytes: number[], range: string): ipaddr.IPv4 | null {
  if (range === 'ipv4Mapped' || range === 'rfc6052') return new ipaddr.IPv4(bytes.slice(12))
  if (range === '6to4') return new ipaddr.IPv4(bytes.slice(2, 6))
  return null
}

/**
 * An undici connector that checks the very address it connects to, so that a name which resolves to another address
 * a moment later (DNS rebinding) gains nothing.
 */
export function guardedConnector(options: {
  allowPrivateAddresses: boolean
  isPublic: (address: string) => boolean
  timeoutMs: number
}): buildConnector.connector {
  const base = { timeout: options.timeoutMs, allowH2: false }
  if (options.allowPrivateAddresses) return buildConnector(base)
  const connect = buildConnector({ ...base, lookup: publicLookup(lookup, options.isPublic) })
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '')
    // A literal address is connected to without a look-up.
    if (isIP(host) !== 0 && !options.isPublic(host)) {
      callback(new FetchBlocked(`${host} is not a public address`), null)
      return
    }
    connect(target, callback)
  }
}

/** Resolves a name to all its addresses, as `dns.lookup` does. */
export type LookupAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/** A look-up for sockets that answers with a name's public addresses only, and fails when it has none. */
export function publicLookup(
  lookupAll: LookupAll = lookup,
  isPublic: (address: string) => boolean = isPublicAddress,
): LookupFunction {
  return (hostname, options, callback) => {
    lookupAll(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, [])
        return
      }
      const allowed = addresses.filter(({ address }) => isPublic(address))
      const [first] = allowed
      if (first === undefined) {
        callback(new FetchBlocked(`${hostname} resolves to no public address`), [])
      } else if (options.all === true) {
        callback(null, allowed)
      } else {
        callback(null, first.address, first.family)
      }
    })
  }
}
