pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "samesight"

include(":contract", ":stubs", ":engine", ":host", ":ui", ":app", ":benchmark")

// Packs of bundles for Google Play, where somebody put some (docs/on-a-phone.md).
rootDir.resolve("ai_packs").listFiles().orEmpty()
    .filter { it.resolve("build.gradle.kts").isFile }
    .forEach { include(":ai_packs:${it.name}") }
