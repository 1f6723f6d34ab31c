#!/usr/bin/env node
import { main } from './cli.ts'

process.setSourceMapsEnabled(true)
await main(process.argv)
