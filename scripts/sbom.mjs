/**
 * `npm run sbom`: writes sbom.cdx.json (CycloneDX 1.6), the packages in a Holdfast image. These are the packages that npm installs without
 * the development packages, and those in the live page. `--check`, part of `npm run check`, fails if the file is not current.
 *
 * The file depends only on package-lock.json, so it is the same on every machine and for every npm. It has no time, no serial number and no
 * registry address. `npm sbom --omit dev` of npm 11.19 is not used, because it leaves out zod, which is both a dependency and a peer of
 * one, and does not know the page.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE_PACKAGES } from './build-web.mjs';
import { root } from './install.mjs';

const path = join(root, 'sbom.cdx.json');
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const project = packages[''];
const text = `${JSON.stringify(document(), null, 2)}\n`;

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  console.error('sbom.cdx.json is not that of package-lock.json: run npm run sbom');
  process.exit(1);
}

function document() {
  const page = new Set(PAGE_PACKAGES.map((name) => `node_modules/${name}`));
  const shipped = Object.keys(packages).filter((at) => at !== '' && (!packages[at].dev || page.has(at)));
  const held = new Set(shipped);
  const byRef = new Map(shipped.map((at) => [refOf(at), at]));
  const refs = [...byRef.keys()].sort(byText);
  const ends = (from, names) => names.flatMap((name) => found(held, from, name)).map(refOf);
  const dependsOn = (from) =>
    [
      ...new Set(ends(from, Object.keys({ ...packages[from].dependencies, ...packages[from].optionalDependencies }))),
    ].sort(byText);
  const direct = new Set([...ends('', Object.keys(project.dependencies)), ...[...page].map(refOf)]);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { 'bom-ref': 'holdfast', type: 'application', ...described(project.name, project) },
    },
    components: refs.map((ref) => componentOf(ref, byRef.get(ref))),
    dependencies: [
      { ref: 'holdfast', dependsOn: [...direct].sort(byText) },
      ...refs.map((ref) => ({ ref, dependsOn: dependsOn(byRef.get(ref)) })),
    ],
  };
}

function componentOf(ref, at) {
  const { integrity, optional } = packages[at];
  const [, algorithm, hash] = /^sha(\d+)-(.+)$/.exec(integrity);
  return {
    'bom-ref': ref,
    type: 'library',
    ...described(nameOf(at), packages[at]),
    // Native parts for other systems are not installed in the image.
    scope: optional ? 'optional' : 'required',
    hashes: [{ alg: `SHA-${algorithm}`, content: Buffer.from(hash, 'base64').toString('hex') }],
  };
}

function described(name, { version, license }) {
  if (license === undefined) throw new Error(`${name} ${version} names no licence`);
  const licenses = /^[\w.+-]+$/.test(license) ? [{ license: { id: license } }] : [{ expression: license }];
  return { name, version, purl: `pkg:npm/${name.replace('@', '%40')}@${version}`, licenses };
}

/** The package that `name` resolves to from the one at `from`, in the nearest node_modules upwards. Empty if it is not shipped. */
function found(held, from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const candidate = `${at}${at === '' ? '' : '/'}node_modules/${name}`;
    if (held.has(candidate)) return [candidate];
    if (at === '') return [];
  }
}

function nameOf(at) {
  return at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function refOf(at) {
  return `${nameOf(at)}@${packages[at].version}`;
}

/** Compares code units, so the order is the same in every locale. */
function byText(a, b) {
  return a < b ? -1 : 1;
}
