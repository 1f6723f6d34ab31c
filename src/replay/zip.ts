import { deflateRawSync } from 'node:zlib'
import { crc32 } from '../http/crc32.ts'

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const versionNeeded = 20
const deflated = 8
/** 1980-01-01, the earliest zip date: reproducible. */
const firstDay = 0x21

/** A zip of one file. */
export function zipOf(name: string, content: string): Buffer {
  const bytes = Buffer.from(content)
  const packed = deflateRawSync(bytes, { level: 1 })
  const title = Buffer.from(name)
  const about = Buffer.alloc(26)
  about.writeUInt16LE(versionNeeded, 0)
  about.writeUInt16LE(deflated, 4)
  about.writeUInt16LE(firstDay, 8)
  about.writeUInt32LE(crc32(bytes), 10)
  about.writeUInt32LE(packed.length, 14)
  about.writeUInt32LE(bytes.length, 18)
  about.writeUInt16LE(title.length, 22)
  const local = Buffer.concat([signature('PK\x03\x04'), about, title])
  const madeBy = Buffer.alloc(2)
  const rest = Buffer.alloc(14)
  const central = Buffer.concat([signature('PK\x01\x02'), madeBy, about, rest, title])
  const end = Buffer.alloc(18)
  end.writeUInt16LE(1, 4)
  end.writeUInt16LE(1, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(local.length + packed.length, 12)
  return Buffer.concat([local, packed, central, signature('PK\x05\x06'), end])
}

const signature = (text: string): Buffer => Buffer.from(text, 'latin1')
