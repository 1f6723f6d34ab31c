import { BlockList, isIP, isIPv6 } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Loopback names and addresses. */
export function isLoopback(host: string): boolean {
  const bare = withoutBrackets(host)
  if (bare.toLowerCase() === 'localhost') return true
  return isIP(bare) !== 0 && loopback.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4')
}

export const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')
