'use strict'

// Unpacks Debian packages into folders of this project. The packages and package lists of the system do not
// change.

const fs = require('node:fs')
const path = require('node:path')
const { FOLDER, run } = require('./folders')

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * @typedef {object} Selection
 * @property {string} [suite]
 * @property {string} [arch]
 * @property {string[]} packages
 * @property {boolean} [alone] true: without dependencies; false: with the dependencies that this system lacks
 */

/**
 * Unpacks packages into a folder and returns it.
 *
 * @param {string} name of the folder
 * @param {Selection} selection
 */
function unpack (name, selection) {
  const folder = path.join(FOLDER, 'debian', name)
  const stamp = path.join(folder, 'packages.json')
  const text = JSON.stringify(selection)
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === text) return folder
  fs.rmSync(folder, { recursive: true, force: true })
  const archives = path.join(folder, 'apt', 'archives')
  fs.mkdirSync(path.join(archives, 'partial'), { recursive: true })
  fs.mkdirSync(path.join(folder, 'apt', 'lists', 'partial'), { recursive: true })
  download(selection, path.join(folder, 'apt'), archives)
  const files = fs.readdirSync(archives).filter((file) => file.endsWith('.deb'))
  for (const file of files) run('dpkg', ['-x', path.join(archives, file), folder])
  fs.rmSync(path.join(folder, 'apt'), { recursive: true })
  fs.writeFileSync(stamp, text)
  return folder
}

/**
 * @param {Selection} selection
 * @param {string} folder of apt
 * @param {string} archives
 */
function download ({ suite = 'bookworm', arch = 'amd64', packages, alone = false }, folder, archives) {
  const sources = path.join(folder, 'sources.list')
  const repositories = [`${mirror('Debian')} ${suite}`, `${mirror('Debian-Security')} ${suite}-security`]
  fs.writeFileSync(sources, repositories.map((repository) => `deb [arch=${arch} signed-by=${KEYRING}] ${repository} main\n`).join(''))
  const options = [
    '-qq', '-o', 'Acquire::Retries=3', '-o', 'APT::Sandbox::User=', '-o', 'Acquire::Languages=none', '-o', 'Debug::NoLocking=true',
    '-o', `Dir::Etc::sourcelist=${sources}`, '-o', 'Dir::Etc::sourceparts=-', '-o', `Dir::State::lists=${path.join(folder, 'lists')}`,
    '-o', `Dir::Cache=${folder}`, '-o', `Dir::Cache::archives=${archives}`,
    ...arch === 'amd64' ? [] : ['-o', `APT::Architecture=${arch}`, '-o', `APT::Architectures=${arch}`, '-o', 'Dir::State::status=/dev/null']
  ]
  run('apt-get', [...options, 'update'])
  if (alone) run('apt-get', [...options, 'download', ...packages], { cwd: archives })
  else run('apt-get', [...options, 'install', '--yes', '--download-only', '--no-install-recommends', ...packages])
}

/**
 * Returns the address of the mirror that the system uses.
 *
 * @param {string} label
 */
function mirror (label) {
  const find = () => run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Identifier: Packages', `Label: ${label}`]).split('\n')[0]
  const found = find()
  if (found !== '') return found
  run('apt-get', ['-qq', 'update'])
  return find()
}

/**
 * Returns the path of a file that a package contains: in the folder, or in the system if the package is installed.
 *
 * @param {string} folder of `unpack`
 * @param {string} file without a leading slash
 */
function fileOf (folder, file) {
  const unpacked = path.join(folder, file)
  return fs.existsSync(unpacked) ? unpacked : path.join('/', file)
}

module.exports = { fileOf, unpack }
