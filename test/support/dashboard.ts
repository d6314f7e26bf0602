import { readFile } from 'node:fs/promises'

interface Panel {
  title: string
  targets: { expr: string }[]
}

/** What the Grafana dashboard asks of Prometheus, by its panels. */
export async function dashboardQueries(): Promise<{ panel: string; expr: string }[]> {
  const file = new URL('../../deploy/grafana/holdfast.json', import.meta.url)
  const { panels } = JSON.parse(await readFile(file, 'utf8')) as { panels: Panel[] }
  return panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ panel: title, expr })))
}
