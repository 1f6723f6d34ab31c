#!/usr/bin/env node
// The sources are TypeScript and run as they are, so that a checkout works right after `npm ci`.
import { register } from 'tsx/esm/api'

register()
const { main } = await import('./cli.ts')
await main(process.argv)
