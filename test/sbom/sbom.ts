import { z } from 'zod'
import { readText } from '../ground/project.ts'

const lock = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      license: z.string().optional(),
      integrity: z.string().optional(),
      resolved: z.string().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
})

/** A package that is installed with Beacon, as package-lock.json pins it. */
export type Installed = Readonly<{
  name: string
  version: string
  license: string | undefined
  /** Of the registry's file: an algorithm and a hash in base64. */
  integrity: string | undefined
  resolved: string | undefined
}>

/** What `npm ci --omit=dev` installs. */
export function installedPackages(): Installed[] {
  const { packages } = lock.parse(JSON.parse(readText('package-lock.json')))
  return Object.entries(packages).flatMap(
    ([path, { version, license, integrity, resolved, dev, devOptional }]) =>
      path === '' || dev || devOptional || version === undefined
        ? []
        : [{ name: path.split('node_modules/').at(-1) ?? '', version, license, integrity, resolved }],
  )
}

/** A bill of materials in CycloneDX 1.5. `npm sbom` refuses a tree with overrides of its own. */
export function billOfMaterials() {
  const { name, version } = z
    .object({ name: z.string(), version: z.string() })
    .parse(JSON.parse(readText('package.json')))
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { type: 'application', name, version, purl: `pkg:npm/${name}@${version}` } },
    components: installedPackages().map(componentOf),
  }
}

function componentOf({ name, version, license, integrity }: Installed) {
  const [algorithm = '', content = ''] = integrity?.split(/-(.*)/s) ?? []
  return {
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    ...(integrity === undefined
      ? {}
      : {
          hashes: [
            {
              alg: algorithm.toUpperCase().replace('SHA', 'SHA-'),
              content: Buffer.from(content, 'base64').toString('hex'),
            },
          ],
        }),
  }
}
