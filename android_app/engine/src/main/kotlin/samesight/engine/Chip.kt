package samesight.engine

import samesight.contract.Artifact

/**
 * Why an artifact is not for a device with this chip, in a sentence; null where it is.
 *
 * @param soc the chip's model as the system names it (`Build.SOC_MODEL`); null where it does not tell.
 */
fun otherChip(artifact: Artifact, soc: String?): String? {
    val chips = artifact.soc.joinToString(" and ")
    return when {
        artifact.soc.isEmpty() || artifact.soc.any { it.equals(soc, ignoreCase = true) } -> null
        soc == null -> "${artifact.name} is for $chips, and this device does not name its chip"
        else -> "${artifact.name} is for $chips, and this device has $soc"
    }
}
