plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "samesight.ui"
    compileSdk = libs.versions.sdk.compile.get().toInt()
    defaultConfig {
        minSdk = libs.versions.sdk.min.get().toInt()
    }
    buildFeatures {
        compose = true
    }
    sourceSets {
        // Rendered and compared by Maven (pom.xml), on Compose for desktop.
        getByName("test").kotlin.setSrcDirs(emptyList<String>())
    }
}

kotlin {
    jvmToolchain(17)
    compilerOptions {
        // Maven compiles with another Compose: what a newer one only deprecates must not stop a first build.
        allWarningsAsErrors = providers.gradleProperty("strict").isPresent
    }
}

dependencies {
    api(project(":engine"))
    api(platform(libs.compose.bom))
    api(libs.compose.material3)
}
