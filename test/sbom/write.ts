/** `npm run sbom`: writes the bill of materials to standard output. */
import { billOfMaterials } from './sbom.ts'

process.stdout.write(`${JSON.stringify(billOfMaterials(), null, 2)}\n`)
