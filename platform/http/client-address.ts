import { isIPv6 } from 'node:net'

/** What limits count as one client: an IPv4 address, or the /64 of an IPv6 one, which one household has to itself. */
export function clientOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.replace(/%.*$/, '').split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const whole = [...groups, ...Array(Math.max(0, 8 - groups.length - behind.length)).fill('0'), ...behind]
  return whole.slice(0, 4).join(':')
}
